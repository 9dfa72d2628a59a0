"""A plan's sandbox: a linked work tree on a branch of its own, created and released."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minutebook.actors.git.command import decode_name, run_git
from minutebook.actors.git.repository import Project, common_directory
from minutebook.domain.errors import GitError

BRANCH_PREFIX = "minutebook/"

STUMBLES_MAX = 8
"""How often a command is tried that stumbles over another work tree."""

REMOVE_ATTEMPTS = 3
"""How often a directory is removed that something is still writing into."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where a plan works."""

    path: Path
    """The work tree, absolute."""

    branch: str
    """`minutebook/<plan id>`."""

    base: str
    """Full id of the project's commit that it was made from."""


@dataclass(frozen=True, slots=True)
class SandboxRelease:
    """What releasing a sandbox freed; all zero and False when nothing was left of it."""

    path: Path
    branch: str

    bytes_freed: int
    """Sizes of the checkout's files and links; not git's link file, nor directories."""

    files_freed: int
    """How many files and symbolic links there were, git's link file not counted."""

    seconds: float

    directory_removed: bool
    branch_deleted: bool


def branch_of(plan_id: str) -> str:
    """The branch on which the plan's sandbox works."""
    return BRANCH_PREFIX + plan_id


def create_sandbox(
    project: Project,
    path: str | os.PathLike[str],
    plan_id: str,
    *,
    pass_fds: Sequence[int] = (),
) -> Sandbox:
    """Check the project's HEAD commit out at `path`, on the new branch `minutebook/<plan_id>`.

    The git command keeps `pass_fds` open, also when this process is killed meanwhile.

    `path` must not exist, or be an empty directory. Raises `GitError` with nothing left
    behind, also when the branch is there already.
    """
    place = Path(os.path.abspath(path))
    branch = branch_of(plan_id)
    if run_git(project.path, "check-ref-format", "--branch", branch, check=False).exit_code:
        raise GitError(f"The plan id {plan_id!r} makes no branch name; use letters and digits.")
    if _branch_exists(project.path, branch):
        raise GitError(
            f"The branch {branch!r} is there already; release the plan's earlier sandbox first."
        )
    if os.path.lexists(place) and (not place.is_dir() or any(place.iterdir())):
        raise GitError(f"{str(place)!r} is in use; give the sandbox a path of its own.")
    run_beside_others(
        project.path,
        *("worktree", "add", "-b", branch, str(place), project.head),
        undo=lambda: release_sandbox(project.path, place, branch),
        pass_fds=pass_fds,
    )
    return Sandbox(path=place, branch=branch, base=project.head)


def run_beside_others(
    project_path: str | os.PathLike[str],
    *command: str,
    undo: Callable[[], object] = lambda: None,
    pass_fds: Sequence[int] = (),
) -> None:
    """Run a git command, again when it stumbled over a work tree that is just made or removed.

    Git makes the directory of what it keeps of a work tree before it locks and fills it: a
    ``prune`` in between deletes it, the removal of the last other one takes the directory above,
    and commands that look at all work trees fail on it.

    Args:
        undo: called after each failure.

    Raises:
        GitError: it failed for another reason, or too often.
    """
    for left in reversed(range(STUMBLES_MAX)):
        try:
            run_git(project_path, *command, pass_fds=pass_fds)
        except BaseException as error:
            undo()
            if isinstance(error, GitError) and left and "/worktrees/" in str(error):
                continue
            raise
        return


def is_made(project_path: str | os.PathLike[str], path: str | os.PathLike[str]) -> bool:
    """Whether there is a linked work tree of the project at `path`, and its making has ended.

    Raises `GitError` when the project is no repository.
    """
    place = Path(os.path.abspath(path))
    if not os.path.isdir(project_path) or not (place / ".git").is_file():
        return False
    entry = _entry(common_directory(project_path), place)
    if entry is None:
        return False
    try:
        # Git locks a work tree while it makes it.
        reason = Path(entry, "locked").read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return True
    return reason.strip() not in ("", "initializing")


def measure(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Bytes and files below `path`, without the link file `.git` at its top.

    Symbolic links count as themselves and are not followed; what vanishes meanwhile counts
    as nothing.
    """
    total = files = 0
    pending = [os.fspath(path)]
    while pending:
        directory = pending.pop()
        try:
            entries = list(os.scandir(directory))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.name != ".git" or directory != os.fspath(path):
                try:
                    total += entry.stat(follow_symlinks=False).st_size
                except OSError:
                    continue
                files += 1
    return total, files


def release_sandbox(
    project_path: str | os.PathLike[str], path: str | os.PathLike[str], branch: str
) -> SandboxRelease:
    """Remove the work tree at `path` and delete `branch`, whatever state either is in.

    May be called again, after a crash in the middle too: what is gone already is fine.
    Raises `GitError` when something remains, or when `path` is a directory that is not a
    linked work tree of the project, which is left alone.
    """
    started = time.monotonic()
    if not branch.startswith(BRANCH_PREFIX):
        raise GitError(
            f"{branch!r} is no sandbox's branch and was kept; those start with {BRANCH_PREFIX!r}."
        )
    total, files, removed = remove_worktree(project_path, path)
    deleted = os.path.isdir(project_path) and _branch_exists(project_path, branch)
    if deleted:
        run_beside_others(project_path, "branch", "--quiet", "-D", branch)
    return SandboxRelease(
        path=Path(os.path.abspath(path)),
        branch=branch,
        bytes_freed=total,
        files_freed=files,
        seconds=time.monotonic() - started,
        directory_removed=removed,
        branch_deleted=deleted,
    )


def remove_worktree(
    project_path: str | os.PathLike[str], path: str | os.PathLike[str]
) -> tuple[int, int, bool]:
    """Remove a linked work tree of the project and what git knows of it.

    Returns the bytes and files freed, and whether there was a directory. The rules for a
    missing or foreign directory are those of `release_sandbox`.
    """
    place = Path(os.path.abspath(path))
    total = files = 0
    present = os.path.lexists(place)
    # Twice: once for changed files, once for a work tree that somebody locked.
    options = ("worktree", "remove", "--force", "--force", str(place))
    if present:
        _refuse_foreign(project_path, place)
        total, files = measure(place)
        if os.path.isdir(project_path):
            run_git(project_path, *options, check=False)
        # Git refuses a half-removed work tree and one whose repository is gone.
        _remove_directory(place)
    if os.path.isdir(project_path) and _registered(common_directory(project_path), place):
        # Not `prune`: it forgets all others whose directories are not there at the moment.
        run_beside_others(project_path, *options)
    return total, files, present


def _refuse_foreign(project_path: str | os.PathLike[str], place: Path) -> None:
    # Git keeps a work tree registered until its directory is gone, so a release that was
    # killed half-way is recognised even without the link file.
    project = Path(os.path.realpath(project_path))
    inside = project.is_relative_to(os.path.realpath(place))
    if place.is_dir() and not place.is_symlink() and not inside:
        link = place / ".git"
        target = ""
        if link.is_file():
            target = link.read_text("utf-8", "surrogateescape").removeprefix("gitdir: ").strip()
            target = os.path.realpath(place / target)
        if not os.path.isdir(project_path):
            # The repository went with the project: the link still says whose it was.
            repository = os.path.join(os.path.realpath(project_path), ".git", "worktrees", "")
            if target.startswith(repository):
                return
        else:
            common = common_directory(project_path)
            if target.startswith(os.path.join(common, "worktrees", "")):
                return
            if not link.exists() and _registered(common, place):
                return
        if not any(place.iterdir()):
            return
    raise GitError(
        f"{str(place)!r} is no linked work tree of {os.fspath(project_path)!r} and was left "
        "alone; look at it and remove it by hand."
    )


def _registered(common: str, place: Path) -> bool:
    return _entry(common, place) is not None


def _entry(common: str, place: Path) -> str | None:
    """What git keeps of the work tree at a place."""
    wanted = os.path.realpath(place)
    worktrees = os.path.join(common, "worktrees")
    if not os.path.isdir(worktrees):
        return None
    for name in os.listdir(worktrees):
        entry = os.path.join(worktrees, name)
        try:
            with open(os.path.join(entry, "gitdir"), "rb") as file:
                link = decode_name(file.read().removesuffix(b"\n"))
        except OSError:
            continue
        # Relative to the entry where worktree.useRelativePaths is set.
        if os.path.realpath(os.path.dirname(os.path.join(entry, link))) == wanted:
            return entry
    return None


def _remove_directory(place: Path) -> None:
    problem: OSError | None = None
    for _ in range(REMOVE_ATTEMPTS):
        if not os.path.lexists(place):
            return
        try:
            shutil.rmtree(place)
        except OSError as error:
            problem = error
            _make_removable(place)
    if os.path.lexists(place):
        raise GitError(
            f"The work tree {str(place)!r} could not be removed: {problem}. "
            "End what still uses it, then release it again."
        )


def _make_removable(place: Path) -> None:
    # A directory without write permission keeps its files from being removed.
    pending = [os.fspath(place)]
    while pending:
        directory = pending.pop()
        try:
            os.chmod(directory, stat.S_IRWXU)
            entries = list(os.scandir(directory))
        except OSError:
            continue
        pending += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _branch_exists(project_path: str | os.PathLike[str], branch: str) -> bool:
    args = ("show-ref", "--verify", "--quiet", f"refs/heads/{branch}")
    return run_git(project_path, *args, check=False).exit_code == 0
