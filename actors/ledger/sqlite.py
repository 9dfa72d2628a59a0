"""The ledger in one SQLite file: WAL, ``synchronous=FULL``, append only."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final

import apsw
import orjson

from minutebook.actors.ledger.clock import now_microseconds
from minutebook.actors.ledger.duplicates import Known, settle
from minutebook.actors.ledger.forks import GuardedConnection
from minutebook.actors.ledger.opening import (
    check_is_ledger,
    check_writable,
    open_for_writing,
    resolve_ledger_path,
)
from minutebook.actors.ledger.sqlite_errors import translated
from minutebook.actors.ledger.transactions import transaction
from minutebook.actors.ledger.turns import Turns
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import COLUMNS, Entry, Receipt, Record
from minutebook.domain.errors import DuplicateEvent, LedgerInputOutput, LedgerUnavailable

BUSY_TIMEOUT_S: Final = 5.0
"""Default wait for SQLite's own write lock, behind the fair lock."""

ROWS_A_STATEMENT: Final = 256
"""Most rows of one INSERT: APSW does not keep statements of over 16 KiB prepared."""


class SqliteLedger:
    """Implements `minutebook.actors.ledger.port.Ledger` on a file; see there.

    Any number of processes, and of systems within one, may have the file open.

    Args:
        path: the file; made when missing, in a directory that exists.
        encoder: writes the ``audit.gap`` that takes the place of a duplicate.
        clock: microseconds since the epoch, for ``recorded_at``.
        busy_timeout_s: how long to wait for a foreign connection's write lock.

    Raises:
        LedgerError: of the kind that fits; an existing file was left untouched.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        encoder: Encoder,
        *,
        clock: Callable[[], int] = now_microseconds,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self.path: Path = resolve_ledger_path(path)
        self._encoder = encoder
        self._clock = clock
        check_writable(self.path)
        if self.path.exists() and self.path.stat().st_size > 0:
            check_is_ledger(self.path)
        self._turns = Turns(self.path.with_name(self.path.name + ".lock"))
        self._connection: apsw.Connection
        try:
            with self._turns:
                self._guarded = GuardedConnection(
                    self.path,
                    lambda: open_for_writing(
                        self.path, busy_timeout_s=busy_timeout_s, created_at=clock()
                    ),
                )
                self._opened_file = self._file_at_path()
        except BaseException:
            self._turns.close()
            raise

    def append(self, bodies: Sequence[bytes]) -> list[Receipt | DuplicateEvent]:
        """Commit a batch; see `minutebook.actors.ledger.port.Ledger.append`."""
        records = [Record.of(body) for body in bodies]
        try:
            # The turn first: who waits for it keeps no fork waiting.
            with self._turns:
                self._check_in_place()
                with self._guarded.use() as self._connection:
                    try:
                        return self._append_new(records)
                    except apsw.ConstraintError:
                        return self._append_settled(records)
        except apsw.Error as error:
            raise translated(error, self.path) from error
        except MemoryError as error:
            msg = f"ledger {self.path}: there is no memory left; free some."
            raise LedgerUnavailable(msg) from error

    def next_index(self) -> int:
        """Return how many entries there are; see `minutebook.actors.ledger.port.Ledger`."""
        try:
            with self._turns, self._guarded.use() as self._connection:
                return self._next_index()
        except apsw.Error as error:
            raise translated(error, self.path) from error

    def close(self) -> None:
        """Close the file; the last one to close it also empties its write-ahead log."""
        try:
            with self._turns:
                self._guarded.close()
        except apsw.Error as error:
            raise translated(error, self.path) from error
        finally:
            self._turns.close()

    def leave(self) -> None:
        """Let go of the lock; see `minutebook.actors.ledger.port.Ledger.leave`."""
        self._turns.close()

    def _check_in_place(self) -> None:
        # SQLite would go on writing to a deleted file, which nobody could ever read.
        if self._file_at_path() != self._opened_file:
            msg = (
                f"ledger {self.path}: the file was moved or deleted while it was open; put it"
                " back, or restart to begin a new one."
            )
            raise LedgerInputOutput(msg)

    def _file_at_path(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _append_new(self, records: Sequence[Record]) -> list[Receipt | DuplicateEvent]:
        with transaction(self._connection):
            entries = self._insert(records)
        return [_receipt(entry) for entry in entries]

    def _append_settled(self, records: Sequence[Record]) -> list[Receipt | DuplicateEvent]:
        with transaction(self._connection):
            settled = settle(records, self._known, self._encoder)
            entries = self._insert(settled.new)
        return settled.outcomes([_receipt(entry) for entry in entries])

    def _insert(self, records: Sequence[Record]) -> list[Entry]:
        execute = self._connection.execute
        first = self._next_index()
        recorded_at = self._clock()
        entries = [record.row(index, recorded_at) for index, record in enumerate(records, first)]
        start = 0
        while start < len(entries):
            # Powers of two: a handful of statements serves every size of batch.
            size = min(ROWS_A_STATEMENT, 1 << ((len(entries) - start).bit_length() - 1))
            rows = entries[start : start + size]
            execute(_insert_statement(size), tuple(chain.from_iterable(rows)))
            start += size
        return entries

    def _next_index(self) -> int:
        found = self._connection.execute("SELECT coalesce(max(log_index), -1) + 1 FROM entries")
        return int(found.get)

    def _known(self, ids: Sequence[str]) -> dict[str, Known]:
        rows = self._connection.execute(
            "SELECT id, log_index, leaf_hash, recorded_at, body FROM entries"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (orjson.dumps(ids).decode("utf-8"),),
        )
        return {row[0]: Known(Receipt(*row[1:4]), row[4]) for row in rows}


@lru_cache(maxsize=16)
def _insert_statement(rows: int) -> str:
    one = f"({','.join('?' * len(COLUMNS))})"
    return f"INSERT INTO entries ({','.join(COLUMNS)}) VALUES {','.join([one] * rows)}"


def _receipt(entry: Entry) -> Receipt:
    return Receipt(entry.log_index, entry.leaf_hash, entry.recorded_at)
