"""The app database, for reading only: nothing is made, migrated or locked."""

from __future__ import annotations

from pathlib import Path

import apsw

from minutebook.actors.appdb import SCHEMA_VERSION, AppDatabase
from minutebook.actors.ledger.forks import GuardedConnection
from minutebook.actors.ledger.inspection import open_read_only
from minutebook.domain.errors import AppDatabaseError


class ReadOnlyAppDatabase(AppDatabase):
    """A connection that cannot change anything.

    Args:
        path: the file, which is there.

    Raises:
        AppDatabaseError: it cannot be read, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._guarded = GuardedConnection(path, self._connect)
            with self._guarded.use() as connection:
                version = self._known_version(connection)
        except (apsw.Error, OSError) as error:
            raise self._failed(error) from error
        if version < SCHEMA_VERSION:
            self.close()
            msg = (
                f"app database {path} has schema version {version}, and this Minutebook writes"
                f" {SCHEMA_VERSION}; open the ledger once with it, or use --fix, which does."
            )
            raise AppDatabaseError(msg)

    def _connect(self) -> apsw.Connection:
        # Without a log nobody has it open, and SQLite need not make one.
        log = self.path.with_name(self.path.name + "-wal")
        immutable = not log.exists() or log.stat().st_size == 0
        return open_read_only(self.path, busy_timeout_s=5.0, immutable=immutable)
