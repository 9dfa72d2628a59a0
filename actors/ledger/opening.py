"""Opening ledger files: what is refused, what is made, which settings are insisted on."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from minutebook.actors.ledger.inspection import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    inspect_ledger,
    is_blank,
    refuse_newer,
)
from minutebook.actors.ledger.migrating import migrate
from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.sqlite_errors import translated
from minutebook.actors.ledger.transactions import transaction
from minutebook.actors.ledger.tree import catch_up, read_head
from minutebook.domain.errors import LedgerError, LedgerPathError, LedgerReadOnly

CACHE_KIB: Final = 16 * 1024
"""The writer's page cache: what a transaction of large events changes fits into it, too."""

_CHECK_TIMEOUT_S: Final = 5.0


def resolve_ledger_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path, links resolved, so that one file has one set of side files.

    Raises:
        LedgerPathError: its directory does not exist, or the path is a directory.
    """
    if not isinstance(path, str | os.PathLike) or str(path).startswith((":memory:", "file:")):
        msg = f"a ledger is a file, and {path!r} is no path of one; give a path as text or Path."
        raise LedgerPathError(msg)
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

    Opens it read-only, so that whatever it is stays untouched; other processes may be
    opening, writing and closing it meanwhile. A blank database passes: one of them may be
    making a ledger of it.

    Raises:
        NotALedger, LedgerTooNew, LedgerCorrupt: as they say.
    """
    file = LedgerFile(path, busy_timeout_s=_CHECK_TIMEOUT_S)
    try:
        file.run(_inspect_unless_blank(path))
    finally:
        file.close()


def _inspect_unless_blank(path: Path) -> Callable[[apsw.Connection], None]:
    def inspect(connection: apsw.Connection) -> None:
        if not is_blank(connection):
            inspect_ledger(connection, path)

    return inspect


def open_for_writing(
    path: Path, *, busy_timeout_s: float, created_at: int, make: bool = True
) -> apsw.Connection:
    """Open the file, make the tables or bring them to this version, and insist on the settings.

    The caller holds the ledger's `Turns`.

    Args:
        busy_timeout_s: how long a statement waits for SQLite's write lock.
        created_at: the time for a new file, microseconds since the epoch.
        make: whether to make a file that is missing.

    Raises:
        LedgerError: of the kind that fits.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if make else 0)
    try:
        connection = apsw.Connection(str(path), flags=flags)
        try:
            connection.set_busy_timeout(round(busy_timeout_s * 1000))
            _insist(connection, path, "journal_mode", "wal")
            _insist(connection, path, "synchronous", 2)
            connection.pragma("foreign_keys", True)
            connection.pragma("cache_size", -CACHE_KIB)
            _bring_up_to_date(connection, path, created_at)
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


def is_missing(path: Path) -> bool:
    """Tell whether there is no ledger yet: no file, or an empty one."""
    return not path.exists() or path.stat().st_size == 0


def _bring_up_to_date(connection: apsw.Connection, path: Path, created_at: int) -> None:
    if connection.pragma("user_version") == SCHEMA_VERSION:
        return
    with transaction(connection):
        version = connection.pragma("user_version")
        if version == 0:
            _make_tables(connection, created_at)
        else:
            # Another process may have been quicker, and newer.
            refuse_newer(version, path)
            migrate(connection, "ledger", SCHEMA_VERSION)
            next_index, tree = read_head(connection, path)
            catch_up(connection, tree, next_index)


def _make_tables(connection: apsw.Connection, created_at: int) -> None:
    # Imported for a new file only: it brings tempfile, shutil and the compressors along.
    from importlib.resources import files

    schema = files("minutebook.actors.ledger").joinpath("schema.sql")
    connection.execute(schema.read_text(encoding="utf-8"))
    connection.execute(
        "INSERT INTO ledger (ledger_id, created_at) VALUES (?, ?)",
        (secrets.token_hex(16), created_at),
    )
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", SCHEMA_VERSION)
