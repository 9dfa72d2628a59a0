"""A project with files of every kind, and a change of every kind to it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

from minutebook.actors.directory.sandbox import commit_directory_sandbox, make_directory_sandbox
from minutebook.actors.directory.shadow import snapshot
from minutebook.actors.git.changes import read_tree_changes
from minutebook.actors.git.command import run_git
from minutebook.actors.git.repository import inspect_project
from minutebook.actors.git.worktree import remove_worktree
from minutebook.actors.moving.checkout import describe_checkout
from minutebook.actors.moving.move import Move
from minutebook.actors.moving.staging import stage

ODD = os.fsdecode(b"caf\xe9 \n\"'")


def fill(place: Path) -> None:
    """Files of every kind."""
    (place / "deep" / "er").mkdir(parents=True)
    (place / "same").write_text("same\n")
    (place / "edited").write_text("one\ntwo\n")
    (place / "gone").write_text("gone\n")
    (place / "old name").write_text("a\nb\nc\nd\ne\nf\n")
    (place / "binary").write_bytes(bytes(range(256)))
    (place / "tool").write_text("#!/bin/sh\n")
    (place / "plain").write_text("#!/bin/sh\n")
    (place / "tool").chmod(0o755)
    (place / "link").symlink_to("edited")
    (place / "link to file").symlink_to("gone")
    (place / "file to link").write_text("x\n")
    (place / "file to folder").write_text("x\n")
    (place / "deep" / "er" / "only").write_text("leaves an empty folder\n")
    (place / "folder to file").mkdir()
    (place / "folder to file" / "inside").write_text("x\n")
    (place / ODD).write_text("odd\n")


def change(place: Path) -> None:
    """A change of every kind."""
    (place / "edited").write_text("one\nTWO\n")
    (place / "gone").unlink()
    (place / "old name").rename(place / "new name")
    (place / "binary").write_bytes(bytes(range(255, -1, -1)))
    (place / "tool").chmod(0o644)
    (place / "plain").chmod(0o755)
    (place / "link").unlink()
    (place / "link").symlink_to(ODD)
    (place / "link to file").unlink()
    (place / "link to file").write_text("now a file\n")
    (place / "file to link").unlink()
    (place / "file to link").symlink_to("same")
    (place / "file to folder").unlink()
    (place / "file to folder" / "sub").mkdir(parents=True)
    (place / "file to folder" / "sub" / "new").write_text("new\n")
    shutil.rmtree(place / "deep")
    shutil.rmtree(place / "folder to file")
    (place / "folder to file").write_text("now a file\n")
    (place / ODD).write_text("odder\n")
    (place / "empty").touch()
    (place / "brand" / "new").mkdir(parents=True)
    (place / "brand" / "new" / ODD).write_text("x\n")


def git(place: Path, *args: str) -> bytes:
    """Standard output of git, as a user would run it."""
    identity = ("-c", "user.name=Dev", "-c", "user.email=dev@example.com")
    command = ["git", *identity, *args]
    return subprocess.run(command, cwd=place, check=True, capture_output=True).stdout


def look(place: Path) -> dict[str, object]:
    """Everything in a directory but for git's own: kind, content, and the user's right to run."""
    found: dict[str, object] = {}
    for directory, folders, files in os.walk(place):
        if ".git" in folders:
            folders.remove(".git")
        for name in (*folders, *files):
            path = Path(directory, name)
            status = path.lstat()
            kind = stat.S_IFMT(status.st_mode)
            content: object = None
            if stat.S_ISLNK(kind):
                content = str(path.readlink())
            elif stat.S_ISREG(kind):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            executable = stat.S_ISREG(kind) and bool(status.st_mode & stat.S_IXUSR)
            found[os.path.relpath(path, place)] = (kind, content, executable)
    return found


def look_at_git(place: Path) -> tuple[object, ...]:
    """The same, and what git says."""
    return (
        look(place),
        git(place, "rev-parse", "HEAD"),
        git(place, "symbolic-ref", "HEAD"),
        git(place, "status", "--porcelain", "--ignored", "-z"),
        git(place, "for-each-ref"),
        git(place, "worktree", "list", "--porcelain"),
        sorted(path.name for path in (place / ".git").iterdir() if path.name != "ORIG_HEAD"),
    )


def git_project(directory: Path) -> Path:
    """A repository of `fill`, with the change on the branch `plan`."""
    project = directory / "project"
    project.mkdir(parents=True)
    git(project, "init", "-q", "-b", "main")
    fill(project)
    git(project, "add", "-A")
    git(project, "commit", "-qm", "first")
    git(project, "checkout", "-qb", "plan")
    change(project)
    git(project, "add", "-A")
    git(project, "commit", "-qm", "plan")
    git(project, "checkout", "-q", "main")
    return project


def staged_git(project: Path, directory: Path) -> Move:
    """What brings the project to `plan`."""
    found = inspect_project(project)
    after = git(project, "rev-parse", "plan").decode().strip()
    scratch = directory / "scratch"
    run_git(project, "worktree", "add", "--detach", str(scratch), after)
    try:
        stage(
            directory / "store",
            project,
            scratch,
            read_tree_changes(project, found.head, after),
            kind="git",
            before=found.head,
            after=after,
            checkout=describe_checkout(found, "p1"),
        )
    finally:
        remove_worktree(project, scratch)
    return Move(directory / "store")


def staged_directory(project: Path, directory: Path) -> Move:
    """What brings a plain directory of `fill` to the change."""
    made = make_directory_sandbox(project, directory / "box", "p1")
    change(made.path)
    after = commit_directory_sandbox(made.path, "plan")
    before = snapshot(made.shadow, project, parent=made.base, message="now")
    scratch = directory / "scratch"
    run_git(made.shadow, "worktree", "add", "--detach", str(scratch), after)
    try:
        stage(
            directory / "store",
            project,
            scratch,
            read_tree_changes(made.shadow, before, after),
            kind="directory",
            before=before,
            after=after,
            copy=made.path,
        )
    finally:
        remove_worktree(made.shadow, scratch)
    return Move(directory / "store")
