"""A sandbox is made of the project's commit, and released from any state without a trace."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.git.repository import inspect_project
from minutebook.actors.git.worktree import (
    Sandbox,
    create_sandbox,
    measure,
    release_sandbox,
)
from minutebook.domain.errors import GitError


@pytest.fixture
def sandbox(repository: Any, tmp_path: Path) -> Sandbox:
    return create_sandbox(inspect_project(repository.path), tmp_path / "box", "plan-1")


def nothing_left(repository: Any, path: Path) -> bool:
    return (
        not os.path.lexists(path)
        and repository.git("for-each-ref", "refs/heads/minutebook") == b""
        and repository.git("worktree", "list", "--porcelain").count(b"worktree ") == 1
        and not list((repository.path / ".git").glob("worktrees/*"))
    )


def test_a_sandbox_has_the_commit_and_a_branch(repository: Any, sandbox: Sandbox) -> None:
    """Its files are the commit's, its branch is its own, the project is as it was."""
    assert (sandbox.branch, sandbox.base) == ("minutebook/plan-1", repository.head)
    assert (sandbox.path / "src/app.py").read_text().startswith("print")
    assert repository.git("symbolic-ref", "HEAD", cwd=sandbox.path) == (
        b"refs/heads/minutebook/plan-1\n"
    )
    assert repository.git("status", "--porcelain") == b""


def test_bytes_and_files_are_counted(repository: Any, sandbox: Sandbox) -> None:
    """Every file and link counts, ignored ones too; git's link file and folders do not."""
    listed = repository.git("ls-tree", "-r", "-l", "HEAD").decode().splitlines()
    size = sum(int(line.split()[3]) for line in listed)
    assert measure(sandbox.path) == (size, 2)
    (sandbox.path / "extra").mkdir()
    (sandbox.path / "extra/data").write_bytes(b"x" * 1000)
    (sandbox.path / "extra/.git").write_bytes(b"y" * 10)
    (sandbox.path / "link").symlink_to("/usr")
    released = release_sandbox(repository.path, sandbox.path, sandbox.branch)
    assert (released.bytes_freed, released.files_freed) == (size + 1000 + 10 + 4, 5)
    assert (released.directory_removed, released.branch_deleted) == (True, True)
    assert nothing_left(repository, sandbox.path)


def test_releasing_again_frees_nothing(repository: Any, sandbox: Sandbox) -> None:
    """The second release is no error and says that nothing was there."""
    release_sandbox(repository.path, sandbox.path, sandbox.branch)
    again = release_sandbox(repository.path, sandbox.path, sandbox.branch)
    assert (again.bytes_freed, again.files_freed) == (0, 0)
    assert (again.directory_removed, again.branch_deleted) == (False, False)


def test_changed_locked_and_committed_work_is_removed(repository: Any, sandbox: Sandbox) -> None:
    """Neither commits, nor dirt, nor a lock, nor read-only folders hold a sandbox back."""
    (sandbox.path / "README.md").write_text("changed")
    repository.git("commit", "-qam", "work", cwd=sandbox.path)
    (sandbox.path / "README.md").write_text("changed again")
    (sandbox.path / "sealed/deep").mkdir(parents=True)
    (sandbox.path / "sealed/deep/file").touch()
    (sandbox.path / "sealed/deep").chmod(0o500)
    (sandbox.path / "sealed").chmod(0o500)
    repository.git("init", "-q", str(sandbox.path / "nested"))
    repository.git("worktree", "lock", str(sandbox.path))
    release_sandbox(repository.path, sandbox.path, sandbox.branch)
    assert nothing_left(repository, sandbox.path)


@pytest.mark.parametrize("locked", [False, True])
def test_a_directory_that_is_gone_is_fine(repository: Any, sandbox: Sandbox, locked: bool) -> None:
    """What git still knows of it, and the branch, are removed."""
    if locked:
        repository.git("worktree", "lock", str(sandbox.path))
    shutil.rmtree(sandbox.path)
    released = release_sandbox(repository.path, sandbox.path, sandbox.branch)
    assert (released.directory_removed, released.branch_deleted) == (False, True)
    assert nothing_left(repository, sandbox.path)


def test_a_branch_that_is_gone_is_fine(repository: Any, sandbox: Sandbox) -> None:
    """The directory is removed all the same."""
    repository.git("update-ref", "-d", f"refs/heads/{sandbox.branch}")
    released = release_sandbox(repository.path, sandbox.path, sandbox.branch)
    assert (released.directory_removed, released.branch_deleted) == (True, False)
    assert nothing_left(repository, sandbox.path)


def test_a_release_that_was_killed_half_way_is_finished(repository: Any, sandbox: Sandbox) -> None:
    """A directory that lost git's link file is still known to be ours."""
    (sandbox.path / ".git").unlink()
    assert release_sandbox(repository.path, sandbox.path, sandbox.branch).files_freed == 2
    assert nothing_left(repository, sandbox.path)


def test_a_project_that_is_gone_does_not_keep_the_sandbox(
    repository: Any, sandbox: Sandbox
) -> None:
    """The link file says whose it was."""
    shutil.rmtree(repository.path)
    assert release_sandbox(repository.path, sandbox.path, sandbox.branch).directory_removed
    assert not sandbox.path.exists()


def test_foreign_directories_are_left_alone(
    repository: Any, make_repository: Any, tmp_path: Path
) -> None:
    """A wrong path never costs anybody's files: not the project's, a folder's, a repository's."""
    other = make_repository("other")
    other.commit({"keep": "x"})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/keep").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for path in (repository.path, other.path, tmp_path / "folder", tmp_path / "link", tmp_path):
        with pytest.raises(GitError, match="left alone"):
            release_sandbox(repository.path, path, "minutebook/plan-1")
    assert (tmp_path / "folder/keep").exists()
    assert (other.path / "keep").exists()
    assert (repository.path / "README.md").exists()


def test_a_project_that_is_a_linked_work_tree_is_not_a_sandbox(
    repository: Any, tmp_path: Path
) -> None:
    """Its own link file does not make the project removable."""
    repository.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    with pytest.raises(GitError, match="left alone"):
        release_sandbox(tmp_path / "side", tmp_path / "side", "minutebook/plan-1")
    assert (tmp_path / "side/README.md").exists()


def test_only_sandbox_branches_are_deleted(repository: Any, tmp_path: Path) -> None:
    """The user's branches are out of reach."""
    repository.git("branch", "precious")
    with pytest.raises(GitError, match="was kept"):
        release_sandbox(repository.path, tmp_path / "box", "precious")
    assert repository.git("branch", "--list", "precious")


def test_a_branch_in_use_is_an_error_that_can_be_tried_again(
    repository: Any, sandbox: Sandbox
) -> None:
    """While the user has the branch checked out the release fails; afterwards it ends."""
    repository.git("checkout", "-q", "--ignore-other-worktrees", sandbox.branch)
    with pytest.raises(GitError, match="branch"):
        release_sandbox(repository.path, sandbox.path, sandbox.branch)
    repository.git("checkout", "-q", "main")
    release_sandbox(repository.path, sandbox.path, sandbox.branch)
    assert nothing_left(repository, sandbox.path)


def test_a_sandbox_that_cannot_be_made_leaves_nothing(repository: Any, tmp_path: Path) -> None:
    """A path in use, a plan id that is no name, a filter that fails: an error and no trace."""
    project = inspect_project(repository.path)
    (tmp_path / "used").mkdir()
    (tmp_path / "used/file").touch()
    with pytest.raises(GitError, match="in use"):
        create_sandbox(project, tmp_path / "used", "p")
    for plan_id in ("", "a..b", "a b", "x.lock"):
        with pytest.raises(GitError):
            create_sandbox(project, tmp_path / "box", plan_id)
    repository.commit({".gitattributes": "* filter=bad\n"})
    repository.git("config", "filter.bad.smudge", "false")
    repository.git("config", "filter.bad.required", "true")
    with pytest.raises(GitError, match="worktree"):
        create_sandbox(inspect_project(repository.path), tmp_path / "box", "p")
    assert nothing_left(repository, tmp_path / "box")


def test_a_branch_that_is_there_is_not_taken_over(repository: Any, tmp_path: Path) -> None:
    """A second sandbox of one plan is refused, and the first stays."""
    project = inspect_project(repository.path)
    first = create_sandbox(project, tmp_path / "one", "p")
    with pytest.raises(GitError, match="release"):
        create_sandbox(project, tmp_path / "two", "p")
    assert (first.path / "README.md").exists()


def test_the_projects_hooks_do_not_run(repository: Any, tmp_path: Path) -> None:
    """A post-checkout hook is for the user's own checkouts."""
    hook = repository.path / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    hook.chmod(0o755)
    create_sandbox(inspect_project(repository.path), tmp_path / "box", "p")
    assert not (tmp_path / "ran").exists()


def test_another_work_tree_whose_disk_is_away_stays_known(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    repository.git("worktree", "add", "-q", "-b", "users", str(tmp_path / "users"))
    (tmp_path / "users").rename(tmp_path / "away")
    release_sandbox(repository.path, sandbox.path, sandbox.branch)
    (tmp_path / "away").rename(tmp_path / "users")
    assert repository.git("status", "--porcelain", cwd=tmp_path / "users") == b""
    repository.git("worktree", "remove", str(tmp_path / "users"))
    assert nothing_left(repository, sandbox.path)


def test_what_others_prune_meanwhile_is_made_again(repository: Any, tmp_path: Path) -> None:
    """Git forgets a work tree that another one of its commands has just begun."""
    project = inspect_project(repository.path)
    done = threading.Event()

    def prune() -> None:
        while not done.is_set():
            repository.git("worktree", "prune", "--expire=now")

    def make_and_release(who: int) -> None:
        for number in range(12):
            place = tmp_path / f"box-{who}"
            box = create_sandbox(project, place, f"plan-{who}-{number}")
            assert (box.path / "src/app.py").exists()
            release_sandbox(project.path, box.path, box.branch)

    with ThreadPoolExecutor() as pool:
        pruning = [pool.submit(prune) for _ in range(2)]
        makers = [pool.submit(make_and_release, who) for who in range(2)]
        try:
            for maker in makers:
                maker.result()
        finally:
            done.set()
        for one in pruning:
            one.result()
    assert nothing_left(repository, tmp_path / "box-0")
