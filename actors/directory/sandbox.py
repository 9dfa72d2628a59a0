"""A plan's sandbox of a project that is no git repository: made, committed, removed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minutebook.actors.directory.copying import check_copyable, copy_directory, remove_directory
from minutebook.actors.directory.shadow import make_shadow, shadow_of, snapshot
from minutebook.actors.git.apply import commit_sandbox
from minutebook.actors.git.changes import touched_files
from minutebook.actors.git.command import MINUTEBOOK, Author, run_git
from minutebook.actors.git.worktree import branch_of, measure
from minutebook.domain.errors import DirectoryProjectError, ProjectMissing


@dataclass(frozen=True, slots=True)
class DirectorySandbox:
    """Where a plan works on a copy."""

    path: Path
    """The copy, absolute."""

    shadow: Path
    """The repository beside it: give this to what wants a repository's path."""

    branch: str
    """`minutebook/<plan id>`, in the shadow."""

    base: str
    """Full id of the shadow's commit that holds the project as it was copied."""


@dataclass(frozen=True, slots=True)
class DirectoryRelease:
    """What removing such a sandbox freed; all zero and False when nothing was left of it."""

    bytes_freed: int
    """Sizes of the copy's files and links; not of the shadow."""

    files_freed: int

    seconds: float

    directory_removed: bool


def make_directory_sandbox(
    project_path: str | os.PathLike[str],
    sandbox_path: str | os.PathLike[str],
    plan_id: str,
    *,
    pass_fds: Sequence[int] = (),
) -> DirectorySandbox:
    """Copy a directory to `sandbox_path`, and make its shadow repository beside it.

    The git command that reads the copy keeps `pass_fds` open, also when this process is killed.

    Raises:
        ProjectMissing: there is no such directory.
        DirectoryProjectError: something in it cannot be copied, or the place is in use.
        GitError: git failed. Nothing is left behind, whatever is raised.
    """
    project, place = os.path.realpath(project_path), Path(os.path.abspath(sandbox_path))
    if not os.path.isdir(project):
        msg = f"There is no directory {os.fspath(project_path)!r}; give the path of one."
        raise ProjectMissing(msg)
    if os.path.lexists(place) or os.path.lexists(shadow_of(place)):
        msg = f"{str(place)!r} is in use; give the sandbox a path of its own."
        raise DirectoryProjectError(msg)
    if place.is_relative_to(project):
        msg = f"{str(place)!r} lies inside the project {project!r}; put the sandboxes elsewhere."
        raise DirectoryProjectError(msg)
    branch = branch_of(plan_id)
    try:
        shadow = make_shadow(place, branch)
        copy_directory(project, place)
        base = snapshot(shadow, place, parent=None, message="The project", pass_fds=pass_fds)
        run_git(shadow, "read-tree", base)
        # The last step: with the branch, the sandbox is made.
        run_git(shadow, "update-ref", f"refs/heads/{branch}", base)
    except BaseException:
        remove_directory_sandbox(place)
        raise
    return DirectorySandbox(path=place, shadow=shadow, branch=branch, base=base)


def is_directory_made(sandbox_path: str | os.PathLike[str], plan_id: str) -> bool:
    """Whether the making of this sandbox has come to its end."""
    shadow = shadow_of(sandbox_path)
    if not os.path.isdir(sandbox_path) or not shadow.is_dir():
        return False
    ref = f"refs/heads/{branch_of(plan_id)}"
    return run_git(shadow, "show-ref", "--verify", "--quiet", ref, check=False).exit_code == 0


def commit_directory_sandbox(
    sandbox_path: str | os.PathLike[str], message: str, author: Author = MINUTEBOOK
) -> str:
    """Commit everything in the copy, on its shadow's branch, and return the branch's commit.

    That is the one before when nothing changed.

    Raises:
        DirectoryProjectError: the work left a repository, a pipe, a socket or a device.
        GitError: git failed.
    """
    check_copyable(sandbox_path)
    return commit_sandbox(shadow_of(sandbox_path), message, author, ignored=True)


def touched_directory_files(sandbox_path: str | os.PathLike[str], base: str) -> int:
    """How many files of the copy differ from a commit of its shadow; raises `GitError`."""
    return touched_files(shadow_of(sandbox_path), base, ignored=True)


def measure_directory_sandbox(sandbox_path: str | os.PathLike[str]) -> tuple[int, int]:
    """Bytes and files of the copy and of its shadow together."""
    held = measure(sandbox_path)
    shadow = measure(shadow_of(sandbox_path))
    return held[0] + shadow[0], held[1] + shadow[1]


def remove_directory_sandbox(sandbox_path: str | os.PathLike[str]) -> DirectoryRelease:
    """Remove the copy and its shadow, whatever state they are in; harmless when they are gone.

    Raises:
        DirectoryProjectError: something remains, or the directory is no such sandbox (it has
            no shadow beside it), which is left alone.
    """
    started = time.monotonic()
    place = Path(os.path.abspath(sandbox_path))
    shadow = shadow_of(place)
    if os.path.lexists(place) and not shadow.is_dir():
        msg = f"{str(place)!r} is no copied sandbox and was left alone; look at it by hand."
        raise DirectoryProjectError(msg)
    total, files = measure(place)
    removed = remove_directory(place)
    remove_directory(shadow)
    return DirectoryRelease(
        bytes_freed=total,
        files_freed=files,
        seconds=time.monotonic() - started,
        directory_removed=removed,
    )
