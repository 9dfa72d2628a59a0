"""The system that we come from, as it was: RxPY, and an INSERT + COMMIT in the caller's thread."""

from pathlib import Path

from reactivex import Subject

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import OrderShipped, build, to_row


class Original(Peer):
    """A frozen pydantic event through a subject; each is a transaction, rollback journal."""

    title = "our origin: RxPY and sqlite3"
    kind = "origin"
    needs = ("reactivex", "pydantic")
    returns = "disk"
    journal_mode = "DELETE"

    def open(self, directory: Path) -> None:
        """Open the table, and subscribe."""
        self._connection = sqlite_file.connect(directory / "original.db", self.journal_mode)
        self.settings = sqlite_file.settings_of(self._connection)
        self._subject: Subject[OrderShipped] = Subject()
        self._subject.subscribe(self._store)

    def _store(self, event: OrderShipped) -> None:
        self._connection.execute(sqlite_file.INSERT, to_row(event))
        self._connection.commit()

    def emit(self) -> None:
        """Build it, and publish it."""
        self._subject.on_next(build())

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def count(self, directory: Path) -> int:
        """Count the rows."""
        return sqlite_file.count_rows(directory / "original.db")


class OriginalWal(Original):
    """The same with a write-ahead log."""

    title = "our origin, with WAL"
    journal_mode = "WAL"
