"""From a sandbox to a merge's result: commit, and merge in a scratch work tree.

`merge_in_scratch` yields both commits; the changeset between them, the staging of the files
and the validation commands belong inside its `with`, in its `path`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minutebook.actors.git.command import MINUTEBOOK, Author, git_error, run_git, split_names
from minutebook.actors.git.conflicts import read_conflicts
from minutebook.actors.git.repository import resolve_commit
from minutebook.actors.git.submodules import refuse_edits_inside, refuse_lost_commits
from minutebook.actors.git.worktree import BRANCH_PREFIX, remove_worktree, run_beside_others
from minutebook.domain.errors import GitError, MergeConflict
from minutebook.domain.events.conflict import Conflict

CONFLICT_NAMES_MAX = 5
"""How many files the message of `MergeConflict` names; its `conflicts` has them all."""

# Said on the command line, for branch.<name>.mergeOptions may say the opposite.
_PLAIN_MERGE = (
    *("--commit", "--no-squash", "--no-verify-signatures", "--no-autostash"),
    *("--no-stat", "--quiet"),
)


@dataclass(frozen=True, slots=True)
class ScratchMerge:
    """A merge that the project does not have yet."""

    path: Path
    """The scratch work tree, where `after` is checked out."""

    before: str
    """The project's commit that was merged into."""

    after: str
    """The merged commit: `before` is its ancestor, or the same."""


def commit_sandbox(
    sandbox_path: str | os.PathLike[str],
    message: str,
    author: Author = MINUTEBOOK,
    *,
    ignored: bool = False,
    base: str | None = None,
) -> str:
    """Commit everything in the sandbox that git does not ignore, on the sandbox's branch.

    With `ignored`, also what it ignores. `base` is the commit that the sandbox starts from,
    when the work may have made commits of its own since.

    Returns the branch's commit, which is the one before when nothing changed. What the work
    has committed by itself stays. Raises `GitError` when the work left the branch, left a
    merge with conflicts, left edits inside a submodule, or a submodule or a repository inside
    whose commit would go with the sandbox.
    """
    reference = run_git(sandbox_path, "symbolic-ref", "--quiet", "HEAD", check=False).line
    if not reference.startswith(f"refs/heads/{BRANCH_PREFIX}"):
        raise GitError(
            f"The work left the sandbox {os.fspath(sandbox_path)!r} on {reference or 'no branch'!r}"
            "; let it stay on the branch that it was given."
        )
    unmerged = _unmerged(sandbox_path)
    if unmerged:
        raise GitError(
            f"The work left a merge with conflicts in {unmerged[0]!r}; let it finish its merges."
        )
    head = resolve_commit(sandbox_path, "HEAD")
    refuse_edits_inside(sandbox_path)
    run_git(sandbox_path, "add", "--all", *(("--force",) if ignored else ()))
    refuse_lost_commits(sandbox_path, base or head)
    tree = run_git(sandbox_path, "write-tree").line
    if tree == run_git(sandbox_path, "rev-parse", "--verify", f"{head}^{{tree}}").line:
        return head
    text = (message.strip() or "Work of a plan") + "\n"
    commit = run_git(
        sandbox_path,
        *("commit-tree", tree, "-p", head, "-F", "-"),
        input=text.encode("utf-8", "replace"),
        author=author,
    ).line
    run_git(sandbox_path, "update-ref", "-m", "minutebook: commit work", "HEAD", commit, head)
    return commit


@contextmanager
def merge_in_scratch(
    repository: str | os.PathLike[str],
    before: str,
    branch: str,
    scratch_dir: str | os.PathLike[str],
    author: Author = MINUTEBOOK,
    *,
    name: str,
) -> Iterator[ScratchMerge]:
    """Merge `branch` into the commit `before`, in a detached work tree at `scratch_dir`.

    Neither the repository's files nor its branches change. A branch that only adds to `before`
    is taken as it is; otherwise a merge commit is made. The scratch work tree is there inside
    the `with` and removed after it, whatever happens; one left by a crash is replaced. The
    commit outlives it long enough to be moved to. `name` is the project's, for conflicts.

    Raises `MergeConflict` or `GitError`.
    """
    tip = resolve_commit(repository, f"refs/heads/{branch}")
    scratch = Path(os.path.abspath(scratch_dir))
    remove_worktree(repository, scratch)
    try:
        run_beside_others(
            repository,
            *("worktree", "add", "--detach", str(scratch), before),
            undo=lambda: remove_worktree(repository, scratch),
        )
        _merge(scratch, before, tip, branch, author, name)
        after = resolve_commit(scratch, "HEAD")
        yield ScratchMerge(path=scratch, before=before, after=after)
    finally:
        remove_worktree(repository, scratch)


def _merge(scratch: Path, before: str, tip: str, branch: str, author: Author, name: str) -> None:
    output = run_git(
        scratch,
        *("merge", "--ff", "--no-edit", "--no-log"),
        *_PLAIN_MERGE,
        *("-m", f"Merge branch '{branch}'", tip),
        check=False,
        author=author,
    )
    if output.exit_code == 0:
        return
    paths = _unmerged(scratch)
    if not paths:
        raise git_error(scratch, "merge", output)
    conflicts = read_conflicts(scratch, before, tip, name) or tuple(
        Conflict(path=path, project_name=name, kind="other") for path in paths
    )
    shown = ", ".join(repr(path) for path in paths[:CONFLICT_NAMES_MAX])
    more = len(paths) - CONFLICT_NAMES_MAX
    raise MergeConflict(
        f"The plan's changes conflict with those of {name!r} in {shown}"
        f"{f' and {more} more' if more > 0 else ''}; make a new plan from the project as it "
        "is now.",
        conflicts=conflicts,
    )


def _unmerged(path: str | os.PathLike[str]) -> tuple[str, ...]:
    listing = run_git(path, "ls-files", "--unmerged", "-z")
    # "<mode> <id> <stage>\t<name>", up to three stages of each name
    entries = split_names(listing.stdout)
    return tuple(dict.fromkeys(entry.partition("\t")[2] for entry in entries))
