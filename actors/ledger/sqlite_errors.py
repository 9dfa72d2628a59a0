"""APSW's exceptions as ours, each with what to do."""

from __future__ import annotations

from pathlib import Path

import apsw

from minutebook.domain.errors import (
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerInputOutput,
    LedgerReadOnly,
    LedgerUnavailable,
    NotALedger,
)

_KINDS: tuple[tuple[type[apsw.Error], type[LedgerError], str], ...] = (
    (
        apsw.BusyError,
        LedgerBusy,
        "another connection holds the write lock; end its transaction",
    ),
    (apsw.LockedError, LedgerBusy, "a table is locked; end the other statement"),
    (apsw.FullError, LedgerFull, "the disk is full; make room on it"),
    (apsw.ReadOnlyError, LedgerReadOnly, "it may not be written; check its permissions"),
    (apsw.CorruptError, LedgerCorrupt, "the file is damaged; restore it from a backup"),
    (apsw.NotADBError, NotALedger, "the file is no SQLite database; choose another path"),
    (
        apsw.IOError,
        LedgerInputOutput,
        "the operating system failed to read or write it; check the disk",
    ),
    (
        apsw.CantOpenError,
        LedgerInputOutput,
        "it cannot be opened; check the path, permissions and open-file limit",
    ),
    (apsw.NoMemError, LedgerUnavailable, "there is no memory left; free some"),
)


def translated(error: apsw.Error, path: Path) -> LedgerError:
    """Return our error for one of APSW's, to be raised from it."""
    for theirs, ours, advice in _KINDS:
        if isinstance(error, theirs):
            return ours(f"ledger {path}: {error}: {advice}.")
    return LedgerError(f"ledger {path}: {error}: SQLite refused; look at the cause chained to it.")
