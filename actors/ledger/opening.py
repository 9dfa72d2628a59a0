"""Opening ledger files: what is refused, what is made, which settings are insisted on."""

from __future__ import annotations

import os
import secrets
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from minutebook.actors.ledger.sqlite_errors import translated
from minutebook.domain.entry import COLUMNS
from minutebook.domain.errors import (
    LedgerCorrupt,
    LedgerError,
    LedgerPathError,
    LedgerReadOnly,
    LedgerTooNew,
    NotALedger,
)

APPLICATION_ID: Final = 0x4D42_4F4B
"""SQLite ``application_id`` of a ledger: "MBOK" in ASCII."""

SCHEMA_VERSION: Final = 1
"""SQLite ``user_version`` of the ledgers that this code writes."""

# A whole check reads every page: below this size it takes well under a second.
_CHECKED_BYTES_MAX = 16 * 1024 * 1024


def resolve_ledger_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path, links resolved, so that one file has one set of side files.

    Raises:
        LedgerPathError: its directory does not exist, or the path is a directory.
    """
    resolved = Path(path).expanduser().resolve()
    if not resolved.parent.is_dir():
        msg = f"ledger {resolved}: the directory {resolved.parent} does not exist; create it first."
        raise LedgerPathError(msg)
    if resolved.is_dir():
        msg = f"ledger {resolved} is a directory; give the path of a file in it."
        raise LedgerPathError(msg)
    return resolved


def check_writable(path: Path) -> None:
    """Refuse a path that cannot be written; looks, and touches nothing.

    A file without any write permission is refused even to root, whom the kernel would
    let write: somebody meant it to stay as it is.

    Raises:
        LedgerReadOnly: the file or its directory may not be written.
    """
    if path.exists() and (not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK)):
        msg = f"ledger {path} is read-only; make it writable, or open another path."
        raise LedgerReadOnly(msg)
    if not os.access(path.parent, os.W_OK):
        msg = (
            f"ledger {path}: its directory is read-only, and SQLite keeps its log there;"
            " make the directory writable, or open another path."
        )
        raise LedgerReadOnly(msg)


def check_is_ledger(path: Path) -> None:
    """Refuse a file that exists and is not a ledger that this code can write.

    Opens it read-only, so that whatever it is stays untouched.

    Raises:
        NotALedger, LedgerTooNew, LedgerCorrupt: as they say.
    """
    # Without a write-ahead log nobody is writing, and an immutable open leaves no side files.
    wal = path.with_name(path.name + "-wal")
    connection = open_read_only(path, immutable=not wal.exists())
    try:
        inspect_ledger(connection, path)
    except apsw.Error as error:
        raise translated(error, path) from error
    finally:
        connection.close()


def open_read_only(path: Path, *, immutable: bool = False) -> apsw.Connection:
    """Open a database file for reading.

    Args:
        immutable: promise SQLite that nobody writes to it meanwhile: no locks, no side files.
    """
    uri = f"file:{quote(os.fsencode(path))}?mode=ro{'&immutable=1' if immutable else ''}"
    try:
        return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    except apsw.Error as error:
        raise translated(error, path) from error


def inspect_ledger(connection: apsw.Connection, path: Path) -> None:
    """Refuse what is open when it is no ledger that this code knows; only reads.

    Raises:
        NotALedger, LedgerTooNew, LedgerCorrupt: as they say.
        apsw.Error: SQLite cannot read it.
    """
    application_id = connection.pragma("application_id")
    version = connection.pragma("user_version")
    if application_id != APPLICATION_ID:
        msg = f"{path} is an SQLite database of another application; choose another path."
        raise NotALedger(msg)
    if version > SCHEMA_VERSION:
        msg = (
            f"ledger {path} has schema version {version}, and this Minutebook knows"
            f" {SCHEMA_VERSION}; upgrade Minutebook."
        )
        raise LedgerTooNew(msg)
    columns = tuple(row[1] for row in connection.execute("PRAGMA table_info(entries)"))
    if columns != COLUMNS:
        msg = f"ledger {path}: its table of entries is not as it was made; restore a backup."
        raise LedgerCorrupt(msg)
    declared = connection.pragma("page_count") * connection.pragma("page_size")
    if path.stat().st_size < declared and not path.with_name(path.name + "-wal").exists():
        msg = f"ledger {path} is cut off: {declared:,} bytes expected; restore a backup."
        raise LedgerCorrupt(msg)
    if path.stat().st_size <= _CHECKED_BYTES_MAX:
        found = connection.pragma("quick_check", 1)
        if found != "ok":
            msg = f"ledger {path} is damaged: {found}; restore a backup."
            raise LedgerCorrupt(msg)


def open_for_writing(path: Path, *, busy_timeout_s: float, created_at: int) -> apsw.Connection:
    """Open the file, make the tables when it is new, and insist on the settings.

    The caller holds the ledger's `Turns`.

    Args:
        busy_timeout_s: how long a statement waits for SQLite's write lock.
        created_at: the time for a new file, microseconds since the epoch.

    Raises:
        LedgerError: of the kind that fits.
    """
    try:
        connection = apsw.Connection(str(path))
        try:
            connection.set_busy_timeout(round(busy_timeout_s * 1000))
            _insist(connection, path, "journal_mode", "wal")
            _insist(connection, path, "synchronous", 2)
            connection.pragma("foreign_keys", True)
            _create_tables(connection, created_at)
        except BaseException:
            connection.close()
            raise
    except apsw.Error as error:
        raise translated(error, path) from error
    return connection


def _insist(connection: apsw.Connection, path: Path, name: str, value: str | int) -> None:
    # One pragma a call, read back: a script of two would stop at the first one's row, and
    # SQLite answers a setting that it cannot honour by keeping the old one.
    connection.pragma(name, value)
    actual = connection.pragma(name)
    if actual != value:
        msg = (
            f"ledger {path}: SQLite keeps {name} at {actual!r} instead of {value!r};"
            " put it on a local file system that supports shared memory."
        )
        raise LedgerError(msg)


def _create_tables(connection: apsw.Connection, created_at: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.pragma("user_version") == 0:
            schema = files("minutebook.actors.ledger").joinpath("schema.sql")
            connection.execute(schema.read_text(encoding="utf-8"))
            connection.execute(
                "INSERT INTO ledger (ledger_id, created_at) VALUES (?, ?)",
                (secrets.token_hex(16), created_at),
            )
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", SCHEMA_VERSION)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
