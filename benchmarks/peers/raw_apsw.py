"""Raw APSW `executemany`: the floor for getting rows into the ledger's own table.

The same table with the same triggers and indexes, the same hashing, the same fsync, batches as
large as ours under load, in the caller's thread: no actor, no journal, no lock between processes,
and what is gathered for the next batch dies with the process.
"""

import itertools
from pathlib import Path

import apsw

from benchmarks.peers.peer import Peer
from benchmarks.peers.sqlite_file import SYNCHRONOUS, count_rows
from benchmarks.workload import bound, build
from minutebook.actors.inbox import BATCH_MAX
from minutebook.actors.ledger.clock import now_microseconds
from minutebook.actors.ledger.opening import open_for_writing
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import COLUMNS, Record
from minutebook.domain.redaction import Redactor

BATCH = BATCH_MAX
READY = 120_000
INSERT = f"INSERT INTO entries ({','.join(COLUMNS)}) VALUES ({','.join('?' * len(COLUMNS))})"
PRODUCER = "0" * 32


def encoder() -> Encoder:
    """Return what makes the stored bytes; the events of the benchmarks have no secrets."""
    return Encoder(Redactor(lambda: bytes(32)))


class Rows:
    """Puts stored bytes into the table of a ledger, batch by batch."""

    def __init__(self, path: Path) -> None:
        self.connection = open_for_writing(
            path, busy_timeout_s=60, created_at=now_microseconds(), make=not path.exists()
        )
        self.next_index: int = self.connection.execute(
            "SELECT coalesce(max(log_index), -1) + 1 FROM entries"
        ).get

    def insert(self, bodies: list[bytes]) -> None:
        """Hash and commit a batch."""
        recorded_at = now_microseconds()
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(
            INSERT,
            [
                Record.of(body).row(index, recorded_at)
                for index, body in enumerate(bodies, self.next_index)
            ],
        )
        self.connection.execute("COMMIT")
        self.next_index += len(bodies)


class RawApsw(Peer):
    """Gathers events, and commits them in the caller's thread."""

    title = "floor: raw APSW executemany"
    kind = "floor"
    needs = ("apsw", "pydantic")
    returns = "memory"

    def open(self, directory: Path) -> None:
        """Open a ledger file."""
        self._rows = Rows(directory / "raw.db")
        self._encode = encoder().encode_head
        self._gathered: list[bytes] = []
        self._seq = itertools.count(self._rows.next_index)
        connection = self._rows.connection
        self.settings = {
            "journal_mode": connection.pragma("journal_mode"),
            "synchronous": SYNCHRONOUS[connection.pragma("synchronous")],
            "batch": BATCH,
            "sqlite": apsw.sqlite_lib_version(),
        }
        assert self.settings["synchronous"] == "FULL", self.settings

    def emit(self) -> None:
        """Build, encode, gather; commit when they are enough."""
        self._gathered.append(with_producer(self._encode(build()), PRODUCER, next(self._seq)))
        if len(self._gathered) >= BATCH:
            self.drain()

    def drain(self) -> None:
        """Commit what is gathered."""
        if self._gathered:
            self._rows.insert(self._gathered)
            self._gathered = []

    def close(self) -> None:
        """Close the file."""
        self._rows.connection.close()

    def count(self, directory: Path) -> int:
        """Count the entries."""
        return count_rows(directory / "raw.db", "entries")


class RawApswRows(RawApsw):
    """The same for events that were built and encoded before: the rows alone."""

    title = "floor: raw APSW executemany, rows only"

    def open(self, directory: Path) -> None:
        """Open a ledger file, and build what will be recorded."""
        super().open(directory)
        self._ready = self._bodies()

    def _bodies(self) -> list[bytes]:
        with bound():
            return [
                with_producer(self._encode(build()), PRODUCER, next(self._seq))
                for _ in range(READY)
            ]

    def emit(self) -> None:
        """Gather the next one; commit when they are enough."""
        if not self._ready:
            self._ready = self._bodies()
        self._gathered.append(self._ready.pop())
        if len(self._gathered) >= BATCH:
            self.drain()
