"""What is to be moved: written once, before the first file is touched."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from minutebook.actors.moving.states import FileState, sync_directory

_NAME: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a project."""

    path: str
    """Relative to the project; bytes that are not UTF-8 are lone surrogates."""

    before: FileState

    after: FileState


@dataclass(frozen=True, slots=True)
class Checkout:
    """What belongs to the files of a git work tree."""

    git_directory: str
    """The work tree's own, absolute."""

    branch: str | None
    """The branch that is checked out; None on a detached HEAD."""

    token: str
    """Name of the file in `git_directory` by which our lock on the index is known."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A project's move."""

    root: str
    """The project's directory, absolute."""

    kind: Literal["git", "directory"]

    before: str
    """The commit whose files it has; of a directory, a commit in its shadow."""

    after: str
    """The commit whose files it gets."""

    items: tuple[Item, ...]

    made: tuple[tuple[str, int | None], ...]
    """Directories that are made for them, those above first; with permission bits, or None
    where the process's umask says them."""

    removable: tuple[tuple[str, int], ...]
    """Directories, with permission bits, that go when the move empties them; lowest first."""

    checkout: Checkout | None
    """Of a git work tree."""


def write_manifest(store: Path, manifest: Manifest) -> None:
    """Put a manifest into a store, and onto the disk; raises `OSError`."""
    # ASCII: lone surrogates are kept as escapes.
    text = json.dumps(asdict(manifest))
    temporary = store / f"{_NAME}.new"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(store / _NAME)
    sync_directory(str(store))


def read_manifest(store: Path) -> Manifest:
    """Read a store's manifest; raises `OSError`."""
    fields: dict[str, Any] = json.loads((store / _NAME).read_text(encoding="ascii"))
    fields["items"] = tuple(
        Item(item["path"], FileState(**item["before"]), FileState(**item["after"]))
        for item in fields["items"]
    )
    fields["made"] = tuple((path, mode) for path, mode in fields["made"])
    fields["removable"] = tuple((path, mode) for path, mode in fields["removable"])
    if fields["checkout"] is not None:
        fields["checkout"] = Checkout(**fields["checkout"])
    return Manifest(**fields)
