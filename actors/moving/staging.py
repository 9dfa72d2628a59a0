"""Makes a store: the new files, the old ones, and the manifest that names them.

The new files are taken from a work tree where git has checked the merge's result out, with
line endings and filters as the project's configuration wants them.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from minutebook.actors.git.changes import SUBMODULE, TreeChange
from minutebook.actors.moving.files import STAGED, UNDO
from minutebook.actors.moving.manifest import Checkout, Item, Manifest, write_manifest
from minutebook.actors.moving.states import MISSING, FileState, copy_state, state_of
from minutebook.domain.errors import ProjectDirty, ProjectError


def stage(
    store: Path,
    root: Path,
    scratch: Path,
    changes: Sequence[TreeChange],
    *,
    kind: Literal["git", "directory"],
    before: str,
    after: str,
    checkout: Checkout | None = None,
    copy: Path | None = None,
) -> Manifest:
    """Fill a store, which is made, from a project and the merge's result.

    Args:
        store: must not exist.
        root: the project, as it is at `before`.
        scratch: the merge's result, checked out.
        changes: what differs between the two commits.
        kind: of the project.
        before, after: the commits.
        checkout: of a git work tree.
        copy: of a directory: the plan's sandbox, which knows modes that git does not.

    Raises:
        ProjectDirty: the project has something of its own in the way, or a file of it is not
            as at `before`.
        ProjectError: something cannot be copied.
    """
    try:
        for folder in (store, store / STAGED, store / UNDO):
            folder.mkdir(mode=0o700)
        staging = _Staging(store, root, scratch, copy)
        items = tuple(staging.item(number, change) for number, change in enumerate(changes))
        staging.ensure_free(items)
        manifest = Manifest(
            root=str(root),
            kind=kind,
            before=before,
            after=after,
            items=items,
            made=staging.made(changes),
            removable=staging.removable(changes),
            checkout=checkout,
        )
        write_manifest(store, manifest)
    except OSError as error:
        msg = (
            f"the apply to {str(root)!r} could not be prepared: {error}; the project is as it"
            " was: put right what is named, then create a new plan."
        )
        raise ProjectError(msg) from error
    return manifest


class _Staging:
    def __init__(self, store: Path, root: Path, scratch: Path, copy: Path | None) -> None:
        self._store = store
        self._root = root
        self._scratch = scratch
        self._copy = copy

    def item(self, number: int, change: TreeChange) -> Item:
        place = os.path.join(self._root, change.path)
        before = MISSING
        if _has_file(change.mode_before):
            before = self._keep(place, self._store / UNDO / str(number), change)
        after = MISSING
        if _has_file(change.mode_after):
            source = os.path.join(self._scratch, change.path)
            after = copy_state(source, str(self._store / STAGED / str(number)))
            if self._copy is not None:
                after = _with_mode(after, before, os.path.join(self._copy, change.path))
        return Item(change.path, before, after)

    def ensure_free(self, items: Sequence[Item]) -> None:
        """Refuse what would be written over: something that neither commit has."""
        gone = {item.path for item in items if item.after.kind == "missing"}
        for item in items:
            if item.before.kind != "missing" or item.after.kind == "missing":
                continue
            now = state_of(os.path.join(self._root, item.path))
            if now.kind == "directory" and any(_is_below(path, item.path) for path in gone):
                continue
            if now.kind != "missing":
                msg = (
                    f"{str(self._root)!r} has files of its own in the way: {item.path!r}; move"
                    " it away, then create a new plan."
                )
                raise ProjectDirty(msg)

    def made(self, changes: Sequence[TreeChange]) -> tuple[tuple[str, int | None], ...]:
        """Return the directories that the new files need and that are not there."""
        wanted: set[str] = set()
        for change in changes:
            if change.mode_after == SUBMODULE != change.mode_before:
                wanted.add(change.path)
            if change.mode_after.strip("0"):
                wanted.update(_above(change.path))
        missing = [path for path in wanted if not _is_directory(self._root / path)]
        missing.sort(key=lambda path: (path.count("/"), path))
        return tuple((path, self._mode_in_copy(path)) for path in missing)

    def removable(self, changes: Sequence[TreeChange]) -> tuple[tuple[str, int], ...]:
        """Return the directories that may become empty."""
        emptied: set[str] = set()
        for change in changes:
            if change.mode_before == SUBMODULE != change.mode_after:
                emptied.add(change.path)
            if not change.mode_after.strip("0"):
                emptied.update(_above(change.path))
        # A directory that the plan left, and left empty, stays.
        found = [
            path
            for path in emptied
            if _is_directory(self._root / path)
            and (self._copy is None or not _is_directory(self._copy / path))
        ]
        found.sort(key=lambda path: (-path.count("/"), path))
        return tuple((path, stat.S_IMODE(os.lstat(self._root / path).st_mode)) for path in found)

    def _mode_in_copy(self, path: str) -> int | None:
        if self._copy is None or not _is_directory(self._copy / path):
            return None
        return stat.S_IMODE(os.lstat(self._copy / path).st_mode)

    def _keep(self, place: str, copy: Path, change: TreeChange) -> FileState:
        try:
            os.link(place, copy, follow_symlinks=False)
            state = state_of(str(copy))
        except FileNotFoundError as error:
            msg = f"{place!r} is gone; look at the project, then create a new plan."
            raise ProjectDirty(msg) from error
        except OSError:  # another file system, or one without hard links
            copy.unlink(missing_ok=True)
            state = copy_state(place, str(copy))
        if self._copy is not None and _object_id(copy, change.id_before) != change.id_before:
            msg = (
                f"{place!r} was changed while the plan was being applied; apply the plan's"
                " changes again."
            )
            raise ProjectDirty(msg)
        return state


def _has_file(mode: str) -> bool:
    return bool(mode.strip("0")) and mode != SUBMODULE


def _with_mode(after: FileState, before: FileState, copy: str) -> FileState:
    """Return a file's new state with the permissions that it gets in a plain directory.

    A file that was there keeps its own, but for whether it can be executed; a new one has
    those that the plan gave it.
    """
    if after.kind != "file":
        return after
    mode = after.mode
    if before.kind == "file":
        mode = before.mode
    elif os.path.isfile(copy) and not os.path.islink(copy):
        mode = stat.S_IMODE(os.lstat(copy).st_mode)
    if after.mode & stat.S_IXUSR:
        mode |= (mode & 0o444) >> 2
    else:
        mode &= ~0o111
    return FileState("file", after.sha256, after.size, mode)


def _object_id(path: Path, like: str) -> str:
    """Return git's id of a file or link, as it is without any filter."""
    if path.is_symlink():
        content = os.fsencode(os.readlink(path))
    else:
        content = path.read_bytes()
    return hashlib.new(
        "sha1" if len(like) == 40 else "sha256",
        b"blob %d\0" % len(content) + content,
        usedforsecurity=False,
    ).hexdigest()


def _above(path: str) -> list[str]:
    """Return the directories above a path, within the project."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(f"{directory}/")


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
