"""Moves the files of a store, one by one: forth to the merge's result, or back.

Each file is replaced in one step, by renaming a finished one over it. So at any moment each
path is as before or as after, and a move that was cut off is done again from its beginning:
what is where it belongs already is passed over.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from minutebook.actors.moving.manifest import Manifest
from minutebook.actors.moving.states import copy_state, state_of, sync_directory
from minutebook.domain.errors import ProjectDirty

STAGED: Final = "staged"
"""Folder of a store with the new files, named by their number."""

UNDO: Final = "undo"
"""Folder of a store with the old files, named by their number."""


def ensure_before(manifest: Manifest) -> None:
    """Refuse a project that is not as it was; raises `ProjectDirty`."""
    for item in manifest.items:
        now = state_of(os.path.join(manifest.root, item.path))
        # A directory whose files go makes room for the file.
        if not now.equals(item.before) and not _makes_room(manifest, item.path, now.kind):
            raise _changed(os.path.join(manifest.root, item.path))


def _makes_room(manifest: Manifest, path: str, kind: str) -> bool:
    return kind == "directory" and any(path == emptied for emptied, _ in manifest.removable)


def _changed(path: str) -> ProjectDirty:
    msg = (
        f"{path!r} was changed while the plan was being applied; look at it, then create a new"
        " plan."
    )
    return ProjectDirty(msg)


def move_forth(store: Path, manifest: Manifest) -> None:
    """Bring each file to its state after.

    Raises:
        ProjectDirty: something else was found at a path; the move is to be undone.
        OSError: a file cannot be written; the move is to be undone.
    """
    for _, error in _move(store, manifest, forth=True):
        raise error


def move_back(store: Path, manifest: Manifest) -> tuple[str, ...]:
    """Bring each file to its state before, and return the paths where that could not be done.

    Those are files that somebody else has changed meanwhile, which are left as they are, or
    that cannot be written.
    """
    return tuple(path for path, _ in _move(store, manifest, forth=False))


def _move(
    store: Path, manifest: Manifest, *, forth: bool
) -> Iterator[tuple[str, OSError | ProjectDirty]]:
    """Move what can be moved, and yield each path that cannot be, with the reason."""
    ways = [_Way(store, manifest, number, forth=forth) for number in range(len(manifest.items))]
    emptied = manifest.removable if forth else manifest.made[::-1]
    needed = manifest.made if forth else manifest.removable[::-1]
    for way in ways:
        if way.wanted.kind == "missing":
            yield from way.go()
    for path, _ in emptied:
        # What is not empty has something of somebody else's.
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(manifest.root, path))
    for path, mode in needed:
        yield from _make_directory(manifest.root, path, mode)
    for way in ways:
        if way.wanted.kind != "missing":
            yield from way.go()
    _sync(manifest)


class _Way:
    """One item's way."""

    def __init__(self, store: Path, manifest: Manifest, number: int, *, forth: bool) -> None:
        item = manifest.items[number]
        self.wanted = item.after if forth else item.before
        self._unwanted = item.before if forth else item.after
        self._item = item
        self._root = manifest.root
        self._path = os.path.join(manifest.root, item.path)
        self._source = str(store / (STAGED if forth else UNDO) / str(number))
        self._is_original = not forth
        # In the same directory, and under a name that whoever goes on finds again.
        name = f".minutebook-{store.parent.name}-{number}.tmp"
        self._temporary = os.path.join(os.path.dirname(self._path), name)

    def go(self) -> Iterator[tuple[str, OSError | ProjectDirty]]:
        try:
            self._go()
        except (OSError, ProjectDirty) as error:
            yield self._item.path, error

    def _go(self) -> None:
        if self._has_link_above():
            return
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self._temporary)
        now = state_of(self._path)
        # A directory in the file's place was made by an earlier try.
        if now.equals(self.wanted) or (self.wanted.kind, now.kind) == ("missing", "directory"):
            return
        if not now.equals(self._unwanted):
            raise _changed(self._path)
        if self.wanted.kind == "missing":
            os.unlink(self._path)
            return
        try:
            self._place()
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
            raise

    def _place(self) -> None:
        if not self._is_original or not _linked(self._source, self._temporary):
            mode = self.wanted.mode if self.wanted.kind == "file" else None
            copy_state(self._source, self._temporary, mode)
        os.replace(self._temporary, self._path)

    def _has_link_above(self) -> bool:
        # Through such a link, a file outside the project would be written.
        above = os.path.dirname(self._item.path)
        while above:
            if os.path.islink(os.path.join(self._root, above)):
                if self.wanted.kind == "missing":
                    return True
                msg = f"{above!r} in {self._root!r} is a symbolic link by now; look at it."
                raise ProjectDirty(msg)
            above = os.path.dirname(above)
        return False


def _linked(source: str, destination: str) -> bool:
    """Give an original its place back, with all that it is; False where that cannot be."""
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError:
        return False
    return True


def _make_directory(
    root: str, path: str, mode: int | None
) -> Iterator[tuple[str, OSError | ProjectDirty]]:
    place = os.path.join(root, path)
    try:
        if os.path.isdir(place) and not os.path.islink(place):
            return
        os.mkdir(place)
        if mode is not None:
            os.chmod(place, mode)
    except OSError as error:
        yield path, error


def _sync(manifest: Manifest) -> None:
    touched = {os.path.dirname(item.path) for item in manifest.items}
    for path in sorted(touched):
        # One that is gone has nothing to keep.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            sync_directory(os.path.join(manifest.root, path))
