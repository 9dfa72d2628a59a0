"""What is done to a sandbox as a repository, whatever kind of project it was made from."""

from __future__ import annotations

from pathlib import Path

from minutebook.actors.directory.sandbox import (
    commit_directory_sandbox,
    is_directory_made,
    measure_directory_sandbox,
    remove_directory_sandbox,
    touched_directory_files,
)
from minutebook.actors.directory.shadow import shadow_of
from minutebook.actors.git.apply import commit_sandbox
from minutebook.actors.git.changes import read_changeset, touched_files
from minutebook.actors.git.command import Author, run_git
from minutebook.actors.git.worktree import branch_of, is_made, measure, release_sandbox
from minutebook.domain.state import Sandbox


def repository_of(sandbox: Sandbox) -> Path:
    """Where git commands about a sandbox are run."""
    return shadow_of(sandbox.path) if sandbox.kind == "directory" else Path(sandbox.path)


def commit_all(sandbox: Sandbox, message: str, author: Author) -> str:
    """Commit what a sandbox holds, and return the commit; raises `ProjectError`."""
    if sandbox.kind == "directory":
        return commit_directory_sandbox(sandbox.path, message, author)
    return commit_sandbox(sandbox.path, message, author, base=sandbox.commit)


def files_between(sandbox: Sandbox, before: str, after: str) -> int:
    """How many files differ between two of its commits; raises `ProjectError`."""
    return read_changeset(repository_of(sandbox), before, after).files_changed


def go_back(sandbox: Sandbox, commit: str) -> None:
    """Put a sandbox where it was at a commit, without anything that git ignores.

    Raises:
        ProjectError: it is gone, or git cannot.
    """
    repository = repository_of(sandbox)
    branch = sandbox.branch or branch_of(Path(sandbox.path).name)
    run_git(repository, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    run_git(repository, "reset", "--quiet", "--hard", commit)
    # Twice: also what is a repository of its own.
    run_git(repository, "clean", "--quiet", "-ffdx")


def touched(sandbox: Sandbox, base: str) -> int:
    """How many files of a sandbox differ from a commit; raises `ProjectError`."""
    look = touched_directory_files if sandbox.kind == "directory" else touched_files
    return look(sandbox.path, base)


def size_of(sandbox: Sandbox) -> tuple[int, int]:
    """Bytes and files that a sandbox holds for the plan's work."""
    return measure(sandbox.path)


def held_by(sandbox: Sandbox) -> tuple[int, int]:
    """Bytes and files that go with a sandbox."""
    copied = sandbox.kind == "directory"
    return measure_directory_sandbox(sandbox.path) if copied else measure(sandbox.path)


def is_there(sandbox: Sandbox) -> bool:
    """Whether the making of a sandbox has come to its end; raises `ProjectError`."""
    if sandbox.kind == "directory":
        return is_directory_made(sandbox.path, Path(sandbox.path).name)
    return is_made(sandbox.project_path, sandbox.path)


def remove(sandbox: Sandbox) -> tuple[int, int, float]:
    """Take a sandbox away, whatever state it is in; bytes and files freed, and seconds.

    Raises:
        ProjectError: something of it remains, or the directory is foreign.
    """
    if sandbox.kind == "directory":
        freed = remove_directory_sandbox(sandbox.path)
        return freed.bytes_freed, freed.files_freed, freed.seconds
    assert sandbox.branch is not None, sandbox
    released = release_sandbox(sandbox.project_path, sandbox.path, sandbox.branch)
    return released.bytes_freed, released.files_freed, released.seconds
