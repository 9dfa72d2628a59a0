"""A project is the top of a git work tree with a commit, and is clean or it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.git.repository import ensure_clean, inspect_project
from minutebook.domain.errors import NotARepository, ProjectDirty, ProjectMissing


def test_head_and_branch_are_seen(repository: Any) -> None:
    """An ordinary repository gives its commit, its branch and its name."""
    project = inspect_project(repository.path)
    assert (project.path, project.head) == (repository.path.resolve(), repository.head)
    assert (project.branch, project.name) == ("main", "project")


def test_a_link_to_the_project_is_followed(repository: Any, tmp_path: Path) -> None:
    """A symbolic link to the top is the top."""
    (tmp_path / "link").symlink_to(repository.path)
    assert inspect_project(tmp_path / "link").path == repository.path.resolve()


def test_a_detached_head_has_no_branch(repository: Any) -> None:
    """A detached HEAD is allowed."""
    repository.git("checkout", "-q", "--detach")
    assert inspect_project(repository.path).branch is None


def test_a_linked_work_tree_is_a_project(repository: Any, tmp_path: Path) -> None:
    """So is a work tree made with git worktree add."""
    repository.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert inspect_project(tmp_path / "side").branch == "side"


def test_what_is_no_project_is_refused(
    repository: Any, make_repository: Any, tmp_path: Path
) -> None:
    """Missing, a file, plain, inside, bare and empty: one error each, with the reason."""
    (tmp_path / "file").touch()
    (tmp_path / "plain").mkdir()
    empty = make_repository("empty")
    bare = make_repository("bare", "--bare")
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(ProjectMissing):
            inspect_project(path)
    for path, reason in (
        (tmp_path / "plain", "not a git repository"),
        (repository.path / "src", "lies inside"),
        (repository.path / ".git", "bare repository or a git directory"),
        (bare.path, "bare"),
        (empty.path, "no commit yet"),
    ):
        with pytest.raises(NotARepository, match=reason):
            inspect_project(path)


def test_changes_of_every_kind_are_dirt(repository: Any) -> None:
    """Changed, staged, deleted and untracked files are named; ignored ones are not dirt."""
    repository.commit({".gitignore": "*.log\n"})
    repository.write({"trace.log": "x"})
    ensure_clean(repository.path)
    kinds: list[tuple[Callable[[], object], str]] = [
        (lambda: repository.write({"README.md": "changed"}), "README.md"),
        (lambda: (repository.path / "src/app.py").unlink(), "src/app.py"),
        (lambda: repository.write({"new file": "x"}), "new file"),
        (lambda: repository.git("mv", "README.md", "other.md"), "other.md"),
    ]
    for dirty, name in kinds:
        dirty()
        with pytest.raises(ProjectDirty, match=name):
            ensure_clean(repository.path)
        repository.git("reset", "-q", "--hard")
        repository.git("clean", "-qfd")
    ensure_clean(repository.path)


def test_hidden_dirt_is_found(repository: Any) -> None:
    """A user who hides untracked files in status still has them."""
    repository.git("config", "status.showUntrackedFiles", "no")
    repository.write({"new": "x"})
    with pytest.raises(ProjectDirty):
        ensure_clean(repository.path)


def test_only_the_first_names_are_shown(repository: Any) -> None:
    """A long list is cut, and the rest counted."""
    repository.write({f"new{i}": "x" for i in range(8)})
    with pytest.raises(ProjectDirty, match="and 3 more"):
        ensure_clean(repository.path)


def test_an_unfinished_merge_is_dirt(repository: Any) -> None:
    """A merge that changes no file, but waits for its commit, is named."""
    repository.git("checkout", "-q", "-b", "side")
    repository.git("commit", "-q", "--allow-empty", "-m", "side")
    repository.git("checkout", "-q", "main")
    repository.git("commit", "-q", "--allow-empty", "-m", "main")
    repository.git("merge", "--no-commit", "side")
    with pytest.raises(ProjectDirty, match="middle of a merge"):
        ensure_clean(repository.path)
