"""Whether the files that a connection has open are those that others find at the path.

A deleted file can be written for as long as it is open, and nobody else will ever read it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from minutebook.domain.errors import LedgerAstray, LedgerInputOutput

FileId = tuple[int, int]
"""Device and inode."""

_ID_DIGITS: Final = 32


def file_id(path: Path) -> FileId | None:
    """Return which file is at a path; ``None`` when there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


class Place:
    """The ledger, and SQLite's two files beside it, as they were when they were opened.

    Args:
        path: the ledger.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]
        self._ledger: FileId | None = None
        self._log: list[FileId | None] = []

    @property
    def is_noted(self) -> bool:
        """Whether the ledger has been opened before."""
        return self._ledger is not None

    def note(self) -> None:
        """A connection has been opened: these are its files.

        Raises:
            LedgerInputOutput: SQLite still uses files that somebody has removed.
        """
        self._ledger = self._ledger or file_id(self.path)
        self._log = [file_id(path) for path in self._beside]
        if None in self._log:
            msg = (
                f"ledger {self.path}: its files -wal and -shm were removed, and are still in use in"
                " this process; close all readers and systems on it here, or restart."
            )
            raise LedgerInputOutput(msg)

    def check_ledger(self) -> None:
        """Refuse when the ledger is not at its path.

        Raises:
            LedgerInputOutput: it was moved, deleted or replaced.
        """
        if file_id(self.path) != self._ledger:
            msg = (
                f"ledger {self.path}: the file was moved or deleted while it was open; put it"
                " back: nothing is committed until then, and what is told waits."
            )
            raise LedgerInputOutput(msg)

    def has_log(self) -> bool:
        """Tell whether SQLite's files are those that were opened."""
        return [file_id(path) for path in self._beside] == self._log

    def lost_log(self) -> bool:
        """Tell whether they are missing, and nobody has made others since."""
        now = [file_id(path) for path in self._beside]
        return all(found in (None, known) for found, known in zip(now, self._log, strict=True))


def noted_id(note: bytes) -> str | None:
    """Return the ledger's id from its lock file; ``None`` when none was written whole."""
    text = note.decode("ascii", "replace").strip()
    is_id = len(text) == _ID_DIGITS and all(digit in "0123456789abcdef" for digit in text)
    return text if is_id else None


def check_belongs(path: Path, noted: str | None, ledger_id: str | None) -> None:
    """Refuse a ledger, or a new one, in the place of another.

    Args:
        path: where it is, or is to be.
        noted: the id of the ledger that the lock file belongs to.
        ledger_id: the id of the one that is there; ``None`` when there is none.

    Raises:
        LedgerAstray: there was another one, whose side files are still there.
    """
    if noted in (None, ledger_id):
        return
    if ledger_id is None:
        what = f"there is no ledger at {path}, and there was one, {noted}; put it back"
    else:
        what = (
            f"{path} is ledger {ledger_id}, and the side files belong to another one, {noted};"
            " put that one back"
        )
    beside = ", ".join(path.name + suffix for suffix in (".lock", ".journal.d", ".app.db"))
    raise LedgerAstray(f"{what}, or move {os.fspath(path.parent)}/{{{beside}}} away.")
