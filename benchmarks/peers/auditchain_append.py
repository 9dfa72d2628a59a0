"""auditchain: a hash-chained audit log in SQLite."""

import asyncio
from pathlib import Path

import orjson
from auditchain import AuditLog, SqliteBackend

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import EVENT_TYPE, build, to_json


class AuditchainAppend(Peer):
    """`await log.append(...)` in a loop that is kept: cheaper than its `SyncAuditLog`."""

    title = "auditchain"
    kind = "ledger"
    needs = ("auditchain",)
    returns = "disk"

    def open(self, directory: Path) -> None:
        """Open a log."""
        self._loop = asyncio.new_event_loop()
        backend = SqliteBackend(directory / "auditchain.db")
        self._log = AuditLog(backend)
        self._loop.run_until_complete(self._log.init())
        self.settings = sqlite_file.settings_of(backend._connection())

    def emit(self) -> None:
        """Build it, and append its fields."""
        event = build()
        self._loop.run_until_complete(
            self._log.append(
                event.user_identity or "",
                EVENT_TYPE,
                event.id,
                metadata=orjson.loads(to_json(event)),
            )
        )

    def close(self) -> None:
        """Close the log."""
        self._loop.run_until_complete(self._log.close())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def count(self, directory: Path) -> int:
        """Count the records."""
        return sqlite_file.count_rows(directory / "auditchain.db", "audit_records")
