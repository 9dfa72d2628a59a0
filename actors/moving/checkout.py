"""A git work tree's lock, index and HEAD, which go with its files.

While files are moved, the index is locked as git itself locks it, so that no other git command
changes it. The lock is a hard link to a file of ours: so one that we left when we were killed
is known from one of somebody else's. The new index is made beside the old one, and renamed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from minutebook.actors.git.command import run_git
from minutebook.actors.git.repository import Project, ensure_clean, inspect_project
from minutebook.actors.moving.manifest import Checkout, Manifest
from minutebook.domain.errors import GitError, ProjectDirty, ProjectError, ProjectMoved

OLD_INDEX: Final = "index"
"""A store's copy of the index as it was."""


def describe_checkout(project: Project, plan_id: str) -> Checkout:
    """Look at the work tree of an inspected project.

    Raises:
        ProjectError: it is a sparse checkout.
    """
    sparse = run_git(project.path, "config", "--bool", "core.sparseCheckout", check=False)
    if sparse.line == "true":
        msg = (
            f"{str(project.path)!r} is a sparse checkout, which plans cannot be applied to; run"
            " `git sparse-checkout disable`, or use another work tree."
        )
        raise ProjectError(msg)
    git_directory = run_git(project.path, "rev-parse", "--absolute-git-dir").line
    return Checkout(git_directory, project.branch, f"minutebook-{plan_id}.token")


@contextmanager
def locked_index(checkout: Checkout) -> Iterator[None]:
    """Hold the lock on the index; one that an earlier try left is taken over.

    Raises:
        ProjectDirty: another git command holds it.
        GitError: the file system has no hard links.
    """
    token = os.path.join(checkout.git_directory, checkout.token)
    lock = os.path.join(checkout.git_directory, "index.lock")
    os.close(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
    try:
        os.link(token, lock)
    except FileExistsError as error:
        if not os.path.samefile(token, lock):
            os.unlink(token)
            msg = (
                f"another git command holds {lock!r}; wait for it, or delete the file when none"
                " is running, then create a new plan."
            )
            raise ProjectDirty(msg) from error
    except OSError as error:
        os.unlink(token)
        msg = f"{lock!r} cannot be made ({error.strerror}); use a file system with hard links."
        raise GitError(msg) from error
    try:
        yield
    finally:
        unlock_index(checkout)


def unlock_index(checkout: Checkout) -> None:
    """Let go of the lock when it is ours, and of what else an earlier try left beside it."""
    token = os.path.join(checkout.git_directory, checkout.token)
    for left in (f"{token}.index", f"{token}.index.lock"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(left)
    lock = os.path.join(checkout.git_directory, "index.lock")
    with contextlib.suppress(FileNotFoundError):
        if os.path.samefile(token, lock):
            os.unlink(lock)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(token)


def ensure_movable(manifest: Manifest, *, begun: bool) -> str:
    """Refuse a work tree that is not, or no longer, at one end of the move; return its HEAD.

    Args:
        begun: whether files may have been moved already.

    Raises:
        ProjectMoved: it has another commit or branch.
        ProjectDirty: nothing was moved yet, and it has changes.
    """
    assert manifest.checkout is not None
    now = inspect_project(manifest.root)
    if now.branch != manifest.checkout.branch or now.head not in (manifest.before, manifest.after):
        msg = (
            f"{manifest.root!r} was at {manifest.before[:12]} on"
            f" {_place(manifest.checkout.branch)} and is now at {now.head[:12]} on"
            f" {_place(now.branch)}; create a new plan."
        )
        raise ProjectMoved(msg)
    if not begun:
        try:
            ensure_clean(manifest.root)
        except ProjectDirty as error:
            msg = f"{error} This plan ends; create a new plan then."
            raise ProjectDirty(msg) from error
    return now.head


def keep_index(manifest: Manifest, store: Path) -> None:
    """Copy the index into a store, for `set_checkout` back."""
    assert manifest.checkout is not None
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(os.path.join(manifest.checkout.git_directory, "index"), store / OLD_INDEX)


def set_checkout(manifest: Manifest, store: Path, *, forth: bool) -> None:
    """Give the work tree the index and the HEAD that belong to its files; the lock is held.

    Raises:
        GitError: git failed; it can be done again, either way.
    """
    assert manifest.checkout is not None
    root, git_directory = manifest.root, manifest.checkout.git_directory
    wanted, unwanted = manifest.after, manifest.before
    if not forth:
        wanted, unwanted = unwanted, wanted
    index = os.path.join(git_directory, "index")
    ours = os.path.join(git_directory, f"{manifest.checkout.token}.index")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{ours}.lock")
    old = store / OLD_INDEX
    if not forth and old.exists():
        shutil.copyfile(old, ours)
    elif os.path.exists(index):
        shutil.copyfile(index, ours)
    run_git(root, "read-tree", "-i", "-m", wanted, index_file=ours)
    # It exits with 1 for a submodule at another commit, which is as git leaves it, too.
    run_git(root, "update-index", "-q", "--refresh", index_file=ours, check=False)
    if inspect_project(root).head != wanted:
        said = "apply a plan" if forth else "undo the apply of a plan"
        run_git(root, "update-ref", "-m", f"minutebook: {said}", "HEAD", wanted, unwanted)
    os.replace(ours, index)


def _place(branch: str | None) -> str:
    return "a detached HEAD" if branch is None else repr(branch)
