"""Submodules: a moved one is counted and moved, and what would be lost is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.git.apply import commit_sandbox, merge_in_scratch
from minutebook.actors.git.changes import read_changeset
from minutebook.actors.git.repository import inspect_project
from minutebook.actors.git.worktree import Sandbox, create_sandbox
from minutebook.domain.errors import GitError
from tests.git.advancing import advance_project

ALLOW = ("-c", "protocol.file.allow=always")


@pytest.fixture
def server(make_repository: Callable[..., Any]) -> Any:
    made = make_repository("server")
    made.commit({"a": "1\n"})
    return made


@pytest.fixture
def sandbox(repository: Any, server: Any, tmp_path: Path) -> Sandbox:
    repository.git(*ALLOW, "submodule", "--quiet", "add", str(server.path), "sub")
    repository.commit()
    made = create_sandbox(inspect_project(repository.path), tmp_path / "box", "p1")
    repository.git(*ALLOW, "submodule", "--quiet", "update", "--init", cwd=made.path)
    return made


def test_edits_inside_are_refused(repository: Any, sandbox: Sandbox) -> None:
    """In a submodule that is checked out, and in the empty folder of one that is not."""
    (sandbox.path / "sub" / "a").write_text("edit\n")
    with pytest.raises(GitError, match="inside the submodule 'sub'"):
        commit_sandbox(sandbox.path, "x")
    repository.git("submodule", "--quiet", "deinit", "--force", "sub", cwd=sandbox.path)
    assert commit_sandbox(sandbox.path, "x") == sandbox.base
    (sandbox.path / "sub" / "new").write_text("unseen by git\n")
    with pytest.raises(GitError, match="inside the submodule 'sub'"):
        commit_sandbox(sandbox.path, "x")


def test_a_commit_that_is_nowhere_else_is_refused(repository: Any, sandbox: Sandbox) -> None:
    """Also when the work has committed the move itself."""
    sub = sandbox.path / "sub"
    (sub / "a").write_text("2\n")
    repository.git("commit", "-qam", "local", cwd=sub)
    with pytest.raises(GitError, match="nowhere else"):
        commit_sandbox(sandbox.path, "x")
    repository.git("commit", "-qam", "move", cwd=sandbox.path)
    with pytest.raises(GitError, match="nowhere else"):
        commit_sandbox(sandbox.path, "x", base=sandbox.base)


def test_a_move_to_a_commit_of_the_server_is_counted_and_applied(
    repository: Any, server: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    newer = server.commit({"a": "2\n"})
    repository.git(*ALLOW, "fetch", "-q", cwd=sandbox.path / "sub")
    repository.git("checkout", "-q", newer, cwd=sandbox.path / "sub")
    commit_sandbox(sandbox.path, "x", base=sandbox.base)
    project = inspect_project(repository.path)
    scratch = tmp_path / "scratch"
    with merge_in_scratch(project.path, project.head, sandbox.branch, scratch, name="p") as merge:
        changeset = read_changeset(merge.path, merge.before, merge.after)
    (file,) = changeset.files
    assert (file.path, file.status, file.lines_added, file.lines_removed) == (
        "sub",
        "modified",
        1,
        1,
    )
    assert file.digest_after == f"git-sha1:{newer}"
    assert (file.bytes_after, file.sha256_after) == (None, None)
    advance_project(project, merge.before, merge.after)
    assert repository.head == merge.after
    assert repository.git("ls-files", "--stage", "sub").split()[1].decode() == newer
    # As git leaves it: the submodule's own files wait for `git submodule update`.
    assert repository.git("status", "--porcelain") == b" M sub\n"
