"""Minutebook, in each delivery class, as it comes: `AuditSystem.open(path)`."""

from pathlib import Path
from typing import ClassVar, Literal

from benchmarks.peers.peer import Peer
from benchmarks.peers.sqlite_file import column, count_rows
from benchmarks.workload import EVENT_TYPE, build
from minutebook.actors import AuditSystem
from minutebook.domain.event import Delivery

NAME = "audit.db"
NEEDS = ("minutebook", "apsw", "orjson", "pydantic", "pykka")


class _Minutebook(Peer):
    kind = "minutebook"
    needs = NEEDS
    many_processes = True
    delivery: ClassVar[Delivery] = "journaled"
    writer: ClassVar[Literal["thread", "process"]] = "thread"

    def open(self, directory: Path) -> None:
        """Open the system; what an earlier process journaled is committed."""
        self.system = AuditSystem.open(directory / NAME, delivery=self.delivery, writer=self.writer)
        self._tell = self.system.audit.tell
        # The ledger refuses to open with less.
        self.settings = {
            "delivery": self.delivery,
            "writer": self.writer,
            "journal_mode": "wal",
            "synchronous": "FULL",
            "backlog_max": 100_000,
        }

    def emit(self) -> None:
        """Build it, and tell it."""
        self._tell(build())

    def drain(self) -> None:
        """Wait for the commits."""
        self.system.flush(timeout=120)

    def close(self) -> None:
        """Close the system."""
        self.system.close()

    def count(self, directory: Path) -> int:
        """Count the entries of the event's type."""
        return count_rows(directory / NAME, "entries", f"type = '{EVENT_TYPE}'")

    def commits(self, directory: Path, begun_at_us: int, seconds: float) -> list[float]:
        """Return the distinct times at which entries were recorded."""
        moments = column(
            directory / NAME,
            "SELECT DISTINCT recorded_at FROM entries WHERE recorded_at BETWEEN ? AND ?"
            " ORDER BY recorded_at",
            (begun_at_us, begun_at_us + round(seconds * 1e6)),
        )
        return [round((moment - begun_at_us) / 1000, 2) for moment in moments]


class Buffered(_Minutebook):
    """`tell` with buffered delivery."""

    title = "Minutebook, buffered"
    returns = "memory"
    delivery = "buffered"


class Journaled(_Minutebook):
    """`tell` as it is by default."""

    title = "Minutebook, journaled (default)"
    returns = "page cache"


class WriterProcess(_Minutebook):
    """`tell` by default, with a process of its own that commits."""

    title = 'Minutebook, journaled, writer="process"'
    returns = "page cache"
    writer = "process"


class Committed(_Minutebook):
    """`tell` that returns after the fsync."""

    title = "Minutebook, committed"
    returns = "disk"
    delivery = "committed"
