"""Telling a ledger from any other file, without touching it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from minutebook.domain.entry import COLUMNS
from minutebook.domain.errors import LedgerCorrupt, LedgerTooNew, NotALedger

APPLICATION_ID: Final = 0x4D42_4F4B
"""SQLite ``application_id`` of a ledger: "MBOK" in ASCII."""

SCHEMA_VERSION: Final = 3
"""SQLite ``user_version`` of the ledgers that this code writes."""

# A whole check reads every page: below this size it takes well under a second.
_CHECKED_BYTES_MAX: Final = 16 * 1024 * 1024


def open_read_only(
    path: Path, *, busy_timeout_s: float, immutable: bool = False
) -> apsw.Connection:
    """Open a database file for reading.

    Args:
        path: the file; not made when missing.
        busy_timeout_s: how long to wait while somebody recovers the log of a killed writer.
        immutable: promise SQLite that nobody writes to it meanwhile: no locks, no side files.

    Raises:
        apsw.Error: SQLite cannot open it.
    """
    uri = f"file:{quote(os.fsencode(path))}?mode=ro{'&immutable=1' if immutable else ''}"
    connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    connection.set_busy_timeout(round(busy_timeout_s * 1000))
    return connection


def is_blank(connection: apsw.Connection) -> bool:
    """Tell whether the database holds nothing: another process may be making a ledger of it."""
    # SQLite takes a file of one byte for an empty database, of no page even.
    return bool(
        connection.pragma("page_count") > 0
        and connection.pragma("application_id") == 0
        and connection.pragma("user_version") == 0
        and connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    )


def refuse_newer(version: int, path: Path) -> None:
    """Refuse a ledger of a version that this code does not know; raises `LedgerTooNew`."""
    if version > SCHEMA_VERSION:
        msg = (
            f"ledger {path} has schema version {version}, and this Minutebook knows"
            f" {SCHEMA_VERSION}; upgrade Minutebook."
        )
        raise LedgerTooNew(msg)


def inspect_ledger(connection: apsw.Connection, path: Path, *, check_pages: bool = True) -> None:
    """Refuse what is open when it is no ledger that this code knows; only reads.

    Args:
        path: the file.
        check_pages: whether to look for damage, where that is quick.

    Raises:
        NotALedger, LedgerTooNew, LedgerCorrupt: as they say.
        apsw.Error: SQLite cannot read it.
    """
    application_id = connection.pragma("application_id")
    version = connection.pragma("user_version")
    if application_id != APPLICATION_ID:
        what = (
            "an empty SQLite database"
            if is_blank(connection)
            else "a database of another application"
        )
        msg = f"{path} is no ledger but {what}; choose another path."
        raise NotALedger(msg)
    refuse_newer(version, path)
    columns = tuple(row[1] for row in connection.execute("PRAGMA table_info(entries)"))
    if columns != COLUMNS:
        msg = f"ledger {path}: its table of entries is not as it was made; restore a backup."
        raise LedgerCorrupt(msg)
    if not check_pages:
        return
    declared = connection.pragma("page_count") * connection.pragma("page_size")
    if path.stat().st_size < declared and not path.with_name(path.name + "-wal").exists():
        msg = f"ledger {path} is cut off: {declared:,} bytes expected; restore a backup."
        raise LedgerCorrupt(msg)
    if path.stat().st_size <= _CHECKED_BYTES_MAX:
        found = connection.pragma("quick_check", 1)
        if found != "ok":
            msg = f"ledger {path} is damaged: {' '.join(found.split())}; restore a backup."
            raise LedgerCorrupt(msg)
