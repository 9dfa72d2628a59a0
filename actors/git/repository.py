"""What a project is: the top of a git work tree that has a commit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from minutebook.actors.git.command import GitOutput, git_error, run_git, split_names
from minutebook.domain.errors import GitError, NotARepository, ProjectDirty, ProjectMissing

DIRTY_NAMES_MAX = 5
"""How many files the message of `ProjectDirty` names."""

_UNFINISHED = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}


@dataclass(frozen=True, slots=True)
class Project:
    """A project as it was when it was inspected."""

    path: Path
    """Absolute, symbolic links resolved."""

    head: str
    """Full id of the commit that is checked out."""

    branch: str | None
    """The branch that is checked out, without `refs/heads/`; None on a detached HEAD."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name


def inspect_project(path: str | os.PathLike[str]) -> Project:
    """Look at the project at `path`, which must be the top of a work tree with a commit.

    A linked work tree will do, and so will a detached HEAD: there, applying a plan moves
    HEAD and no branch. Raises `ProjectMissing`, or `NotARepository` for a plain directory,
    a directory inside a work tree, a bare repository, and one without a commit.
    """
    if not os.path.isdir(path):
        raise ProjectMissing(
            f"There is no directory {os.fspath(path)!r}; give the path of a git repository, or"
            " of a plain directory."
        )
    resolved = Path(os.path.realpath(path))
    top = run_git(resolved, "rev-parse", "--show-toplevel", check=False)
    if top.exit_code:
        raise _not_a_work_tree(resolved, top)
    if os.path.realpath(top.line) != str(resolved):
        raise NotARepository(
            f"{str(resolved)!r} lies inside the git work tree {top.line!r}; "
            "give the top of the work tree."
        )
    head = run_git(resolved, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False)
    if head.exit_code:
        raise NotARepository(f"{str(resolved)!r} has no commit yet; make a first commit.")
    reference = run_git(resolved, "symbolic-ref", "--quiet", "HEAD", check=False)
    branch = None if reference.exit_code else reference.line.removeprefix("refs/heads/")
    return Project(path=resolved, head=head.line, branch=branch)


def is_plain_directory(path: str | os.PathLike[str]) -> bool:
    """Tell whether `path` is a directory that neither is a repository nor lies in one."""
    if not os.path.isdir(path) or os.path.lexists(os.path.join(path, ".git")):
        return False
    found = run_git(path, "rev-parse", "--git-dir", check=False)
    return found.exit_code != 0 and "not a git repository" in found.stderr


def ensure_clean(path: str | os.PathLike[str]) -> None:
    """Raise `ProjectDirty` unless the work tree is exactly its HEAD commit.

    Changes to tracked files, staged or not, untracked files that are not ignored, and a
    merge, rebase, cherry-pick or revert that is not finished all count as dirty.
    """
    listing = run_git(
        path, "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames"
    )
    names = [entry[3:] for entry in split_names(listing.stdout)]
    if names:
        shown = ", ".join(repr(name) for name in names[:DIRTY_NAMES_MAX])
        more = len(names) - DIRTY_NAMES_MAX
        raise ProjectDirty(
            f"{os.fspath(path)!r} has uncommitted changes: {shown}"
            f"{f' and {more} more' if more > 0 else ''}; commit, stash or ignore them first."
        )
    git_directory = run_git(path, "rev-parse", "--absolute-git-dir").line
    for mark, operation in _UNFINISHED.items():
        if os.path.lexists(os.path.join(git_directory, mark)):
            raise ProjectDirty(
                f"{os.fspath(path)!r} is in the middle of a {operation}; "
                "finish it or abort it first."
            )


def resolve_commit(path: str | os.PathLike[str], revision: str) -> str:
    """The full id of the commit that `revision` names; raises `GitError` if there is none."""
    output = run_git(path, "rev-parse", "--verify", f"{revision}^{{commit}}", check=False)
    if output.exit_code:
        raise GitError(
            f"{os.fspath(path)!r} has no commit {revision!r}: {output.stderr.strip()}\n"
            "Give a commit or a branch that is there."
        )
    return output.line


def common_directory(path: str | os.PathLike[str]) -> str:
    """The git directory that the repository at `path` shares with its linked work trees."""
    found = run_git(path, "rev-parse", "--git-common-dir").line
    return os.path.realpath(os.path.join(path, found))


def _not_a_work_tree(path: Path, output: GitOutput) -> Exception:
    if "not a git repository" in output.stderr:
        return NotARepository(
            f"{str(path)!r} is not a git repository; run `git init` and make a first commit."
        )
    if "must be run in a work tree" in output.stderr:
        return NotARepository(
            f"{str(path)!r} is a bare repository or a git directory; give a work tree of it."
        )
    return git_error(path, "rev-parse", output)
