"""persist-queue: its SQLite queue, a commit for each put."""

from pathlib import Path

from persistqueue import SQLiteQueue
from persistqueue.serializers import json as plain

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import build, to_json


class PersistQueue(Peer):
    """`put` of the event's JSON."""

    title = "persist-queue SQLiteQueue"
    kind = "database"
    needs = ("persist-queue",)
    returns = "disk"

    def open(self, directory: Path) -> None:
        """Open the queue."""
        self._queue = SQLiteQueue(
            str(directory / "queue"), auto_commit=True, multithreading=True, serializer=plain
        )
        self.settings = sqlite_file.settings_of(self._queue._putter)
        assert self.settings == {"journal_mode": "wal", "synchronous": "FULL"}, self.settings

    def emit(self) -> None:
        """Build it, and put its JSON."""
        self._queue.put(to_json(build()).decode())

    def close(self) -> None:
        """Close the queue."""
        self._queue.close()

    def count(self, directory: Path) -> int:
        """Count the rows."""
        return sqlite_file.count_rows(directory / "queue" / "data.db", "queue_default")
