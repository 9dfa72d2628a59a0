"""eventsourcing: an aggregate that records, saved event by event by its application."""

from pathlib import Path
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import build, to_json


class Trail(Aggregate):
    """Keeps nothing of what it records."""

    @event("Recorded")
    def record(self, body: str) -> None:
        """Record an event's JSON."""


class EventsourcingSave(Peer):
    """`aggregate.record`, `application.save`: a transaction each."""

    title = "eventsourcing, save each"
    kind = "database"
    needs = ("eventsourcing",)
    returns = "disk"

    def open(self, directory: Path) -> None:
        """Open the application, and begin an aggregate."""
        self._path = directory / "eventsourcing.db"
        self._application: Application[Any] = Application(
            env={
                "PERSISTENCE_MODULE": "eventsourcing.sqlite",
                "SQLITE_DBNAME": str(self._path),
                "SQLITE_LOCK_TIMEOUT": "60",
            }
        )
        self._trail = Trail()
        self._application.save(self._trail)
        recorder: Any = self._application.recorder
        with recorder.datastore.get_connection(commit=False) as connection:
            self.settings = sqlite_file.settings_of(connection._sqlite_conn)

    def emit(self) -> None:
        """Build it, record it, save it."""
        self._trail.record(to_json(build()).decode())
        self._application.save(self._trail)

    def close(self) -> None:
        """Close the application."""
        self._application.close()

    def count(self, directory: Path) -> int:
        """Count what was recorded."""
        return sqlite_file.count_rows(
            directory / "eventsourcing.db", "stored_events", "topic LIKE '%Recorded'"
        )
