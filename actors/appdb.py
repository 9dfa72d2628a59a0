"""The app database: what the service actors know, in one SQLite file beside the ledger.

It belongs to all processes of the host. Each actor has a connection of its own; every
change is one short transaction.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import apsw

from minutebook.actors.file_lock import FileLock
from minutebook.actors.ledger.forks import GuardedConnection
from minutebook.actors.ledger.migrating import migrate
from minutebook.actors.ledger.transactions import transaction
from minutebook.domain.entry import from_microseconds
from minutebook.domain.errors import AppDatabaseError
from minutebook.domain.surrogates import escape, unescape

SCHEMA_VERSION: Final = 2
"""SQLite ``user_version`` of the app databases that this code writes."""

_MIGRATION_WAIT_S: Final = 60.0

BUSY_TIMEOUT_MS: Final = 10_000
"""How long a statement waits for another actor's or process's transaction."""


class AppDatabase:
    """One actor's connection, used by that actor's thread only.

    Args:
        path: the file; made, with mode 0600, when missing, and brought to this version when it
            is older.

    Raises:
        AppDatabaseError: it cannot be opened, or is newer than this code.
        FileLockError: it is older than this code, and another process does not let it go.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._guarded = GuardedConnection(path, self._connect)
        except (apsw.Error, OSError) as error:
            raise self._failed(error) from error
        try:
            self._bring_up_to_date()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path))
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        try:
            _switch_to_wal(connection)
            connection.pragma("foreign_keys", True)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self) -> None:
        # The lock is the one under which settings are changed: a process of the older version
        # that is just about it ends that first.
        lock = FileLock(self.path.with_name(self.path.name + ".lock"), wait_s=_MIGRATION_WAIT_S)
        try:
            with self._guarded.use() as connection:
                if self._known_version(connection) == 0:
                    self._make_tables(connection)
                if self._known_version(connection) != SCHEMA_VERSION:
                    with lock:
                        self._migrate(connection)
        except apsw.Error as error:
            raise self._failed(error) from error

    def _known_version(self, connection: apsw.Connection) -> int:
        version = int(connection.pragma("user_version"))
        if version > SCHEMA_VERSION:
            msg = (
                f"app database {self.path} has schema version {version}, and this Minutebook"
                f" knows {SCHEMA_VERSION}; upgrade Minutebook."
            )
            raise AppDatabaseError(msg)
        return version

    def _make_tables(self, connection: apsw.Connection) -> None:
        with transaction(connection):
            if self._known_version(connection) == 0:
                from importlib.resources import files

                schema = files("minutebook.actors").joinpath("app_schema.sql")
                connection.execute(schema.read_text(encoding="utf-8"))
                connection.pragma("user_version", SCHEMA_VERSION)

    def _migrate(self, connection: apsw.Connection) -> None:
        # A step that replaces a table would, with foreign keys, delete what refers to it; they
        # can only be set outside a transaction.
        connection.pragma("foreign_keys", False)
        try:
            with transaction(connection):
                self._known_version(connection)
                migrate(connection, "app", SCHEMA_VERSION)
                broken = connection.execute("PRAGMA foreign_key_check").fetchall()
                if broken:
                    msg = (
                        f"app database {self.path}: rows of {broken[0][0]!r} refer to what is"
                        " not there, and it is left as it was; restore it from a backup."
                    )
                    raise AppDatabaseError(msg)
        finally:
            connection.pragma("foreign_keys", True)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block does, or none of it; takes the write lock at once.

        Raises:
            AppDatabaseError: the file cannot be read or written.
        """
        try:
            with self._guarded.use() as connection, transaction(connection):
                yield
        except apsw.Error as error:
            raise self._failed(error) from error

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement that returns nothing, in a transaction of its own outside one.

        Raises:
            AppDatabaseError: the file cannot be read or written.
        """
        try:
            with self._guarded.use() as connection:
                connection.execute(sql, _bindable(parameters))
        except (apsw.Error, OSError) as error:
            raise self._failed(error) from error

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> dict[str, Any] | None:
        """Return the first row by column name, or ``None``."""
        return next(iter(self.rows(sql, parameters)), None)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return all rows by column name; columns named ``*_at`` as datetimes in UTC.

        Raises:
            AppDatabaseError: the file cannot be read.
        """
        result = []
        try:
            with self._guarded.use() as connection:
                cursor = connection.execute(sql, _bindable(parameters))
                for row in cursor:
                    names = [name for name, _ in cursor.get_description()]
                    values = zip(names, row, strict=True)
                    result.append({name: _value(name, value) for name, value in values})
        except (apsw.Error, OSError) as error:
            raise self._failed(error) from error
        return result

    def _failed(self, error: Exception) -> AppDatabaseError:
        return AppDatabaseError(
            f"app database {self.path}: {error}; nothing was changed: make room on the disk, end"
            " what holds the file, or restore it from a backup, and try again."
        )

    def close(self) -> None:
        """Close the connection; harmless when it was closed before."""
        self._guarded.close()


def _bindable(parameters: Sequence[Any]) -> tuple[Any, ...]:
    # Paths that are not UTF-8 have lone surrogates, which SQLite's text cannot hold.
    return tuple(escape(value) if isinstance(value, str) else value for value in parameters)


def _value(name: str, value: Any) -> datetime | Any:
    if isinstance(value, str):
        return unescape(value)
    if name.endswith("_at") and value is not None:
        return from_microseconds(value)
    return value


def _switch_to_wal(connection: apsw.Connection) -> None:
    # When several processes switch a new file at once, SQLite answers "busy" to all but one at
    # once, in spite of the timeout.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
