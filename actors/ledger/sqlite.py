"""The ledger in one SQLite file: WAL, ``synchronous=FULL``, append only."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import apsw
import orjson

from minutebook.actors.ledger.clock import now_microseconds
from minutebook.actors.ledger.duplicates import Known, settle
from minutebook.actors.ledger.file_system import check_file_system
from minutebook.actors.ledger.forks import GuardedConnection
from minutebook.actors.ledger.opening import (
    check_is_ledger,
    check_writable,
    is_missing,
    open_for_writing,
    resolve_ledger_path,
)
from minutebook.actors.ledger.place import Place, check_belongs, noted_id
from minutebook.actors.ledger.sqlite_errors import translated
from minutebook.actors.ledger.steps import GiveWay, in_steps
from minutebook.actors.ledger.transactions import transaction
from minutebook.actors.ledger.tree import grow, read_head
from minutebook.actors.ledger.turns import Turns
from minutebook.actors.ledger.wal import WriteAheadLog, cut
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import COLUMNS, Entry, Receipt, Record
from minutebook.domain.errors import (
    DuplicateEvent,
    LedgerAstray,
    LedgerError,
    LedgerUnavailable,
    SigningFailed,
)

if TYPE_CHECKING:
    from minutebook.actors.ledger.signing import Signing
    from minutebook.domain.note import VerifierKey

logger = logging.getLogger("minutebook.audit")

BUSY_TIMEOUT_S: Final = 5.0
"""Default wait for SQLite's own write lock, behind the fair lock."""

ROWS_A_STATEMENT: Final = 256
"""Most rows of one INSERT: APSW does not keep statements of over 16 KiB prepared."""

ROWS_A_STEP: Final = 2
"""The same, where way is given: SQLite takes up to 50 us a row when caches are cold. It does not
need the interpreter for that, but whoever wakes beside it may have to wait for the processor."""


class SqliteLedger:
    """Implements `minutebook.actors.ledger.port.Ledger` on a file; see there.

    Any number of processes, and of systems within one, may have the file open.

    Args:
        path: the file; made when missing, in a directory that exists.
        encoder: writes the ``audit.gap`` that takes the place of a duplicate.
        clock: microseconds since the epoch, for ``recorded_at``.
        busy_timeout_s: how long to wait for a foreign connection's write lock.
        allow_network_file_system: do not refuse one; see `minutebook.actors.ledger.file_system`.
        signing: signs checkpoints, given the resolved path; nothing is signed without.

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
        allow_network_file_system: bool = False,
        signing: Callable[[Path], Signing] | None = None,
    ) -> None:
        self.path: Path = resolve_ledger_path(path)
        self._signing = None if signing is None else signing(self.path)
        self._encoder = encoder
        self._clock = clock
        self._busy_timeout_s = busy_timeout_s
        self._place = Place(self.path)
        self._log = WriteAheadLog(busy_timeout_s)
        self._last: Receipt | None = None
        check_writable(self.path)
        if not allow_network_file_system:
            check_file_system(self.path)
        if not is_missing(self.path):
            check_is_ledger(self.path)
        self._turns = self._new_turns()
        self._guarded: GuardedConnection
        self._connection: apsw.Connection
        try:
            with self._turns:
                self._open()
        except BaseException:
            self._turns.close()
            raise

    def _open(self) -> None:
        noted = noted_id(self._turns.read())
        if is_missing(self.path):
            check_belongs(self.path, noted, None)
        self._guarded = GuardedConnection(self.path, self._connect)
        try:
            with self._guarded.use() as self._connection:
                ledger_id = self._ledger_id()
            check_belongs(self.path, noted, ledger_id)
            if noted is None:
                self._turns.write(ledger_id.encode("ascii"))
        except BaseException:
            self._guarded.close()
            raise

    def append(
        self, bodies: Sequence[bytes], give_way: GiveWay | None = None
    ) -> list[Receipt | DuplicateEvent]:
        """Commit a batch; see `minutebook.actors.ledger.port.Ledger.append`."""
        records = in_steps(Record.of, bodies, give_way)
        try:
            # The turn first: who waits for it keeps no fork waiting.
            with self._turns, self._in_place():
                try:
                    outcomes = self._append_new(records, give_way)
                except apsw.ConstraintError:
                    outcomes = self._append_settled(records)
                self._log.shorten(self._connection)
                if self._signing is not None and self._last is not None:
                    self._signing.sign_if_due(self._connection, self._last.log_index + 1)
                return outcomes
        except apsw.Error as error:
            raise translated(error, self.path) from error
        except MemoryError as error:
            msg = f"ledger {self.path}: there is no memory left; free some."
            raise LedgerUnavailable(msg) from error

    def next_index(self) -> int:
        """Return how many entries there are; see `minutebook.actors.ledger.port.Ledger`."""
        try:
            with self._turns, self._in_place():
                return self._next_index()
        except apsw.Error as error:
            raise translated(error, self.path) from error

    def checkpoint(self) -> None:
        """Sign the ledger as it is; see `minutebook.actors.ledger.port.Ledger.checkpoint`."""
        if self._signing is None:
            return
        try:
            with self._turns, self._in_place():
                self._signing.sign_quietly(self._connection)
        except apsw.Error as error:
            raise translated(error, self.path) from error

    @contextmanager
    def turn(self) -> Iterator[apsw.Connection]:
        """Have the connection for a block that nobody else writes in; for work of other kinds.

        Raises:
            LedgerError: of the kind that fits.
        """
        try:
            with self._turns, self._in_place():
                yield self._connection
        except apsw.Error as error:
            raise translated(error, self.path) from error

    def keep_log_short(self, pages: int) -> None:
        """Shorten the write-ahead log when it is long, in a turn of its own.

        Args:
            pages: by how much it is to have grown: fewer take less time.

        Raises:
            LedgerError: of the kind that fits.
        """
        with self.turn() as connection:
            self._log.shorten(connection, pages)

    def enter(self, bodies: Sequence[bytes]) -> list[Entry]:
        """Add entries within a transaction of a `turn`."""
        return self._insert([Record.of(body) for body in bodies])

    @property
    def signing(self) -> Signing:
        """What signs here.

        Raises:
            SigningFailed: nothing is signed here.
        """
        if self._signing is None:
            msg = f"ledger {self.path} was opened to sign nothing; open it with a key."
            raise SigningFailed(msg)
        return self._signing

    def rotate_key(self) -> VerifierKey:
        """Announce a new key, endorsed by the present one, and sign with it from here on.

        Raises:
            SigningFailed: nothing is signed here, or a key cannot be used or kept.
            LedgerError: of another kind that fits.
        """
        signing = self.signing
        try:
            with self._turns, self._in_place():
                return signing.rotate(self._connection)
        except apsw.Error as error:
            raise translated(error, self.path) from error
        except OSError as error:
            msg = f"ledger {self.path}: the new key is announced, and {error}; correct that."
            raise SigningFailed(msg) from error

    def sign_as(self, producer: str) -> None:
        """Say on whose behalf checkpoints are signed from here on."""
        if self._signing is not None:
            self._signing.producer = producer

    def shorten_log(self) -> None:
        """Move all of the write-ahead log into the ledger, and cut it to nothing.

        Raises:
            LedgerBusy: somebody reads it.
            LedgerError: of another kind that fits.
        """
        try:
            with self._turns, self._in_place():
                cut(self._connection, round(self._busy_timeout_s * 1000))
        except apsw.Error as error:
            raise translated(error, self.path) from error

    def look(self) -> str | None:
        """Say what is wrong with the files at the path, and mend what can be; any thread.

        Waits for nobody: what is in use at the moment is looked at by who uses it.
        """
        try:
            self._place.check_ledger()
            with self._guarded.use_at_once() as connection:
                if connection is None or self._place.has_log():
                    return None
                # Another holder of the lock than the appending thread.
                turns = self._new_turns()
                try:
                    if turns.taken_at_once():
                        self._connection = connection
                        self._renew_log()
                finally:
                    turns.close()
        except (LedgerError, OSError) as error:
            return str(error)
        except apsw.Error as error:
            return str(translated(error, self.path))
        return None

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

    def renew(self) -> None:
        """Go on in a forked child; see `minutebook.actors.ledger.port.Ledger.renew`."""
        self._place.check_ledger()
        # The connection is opened with the first turn: who renews waits for none.
        self._guarded.reset()
        self._turns.close()
        self._turns = self._new_turns()

    def _new_turns(self) -> Turns:
        return Turns(self.path.with_name(self.path.name + ".lock"))

    def _connect(self) -> apsw.Connection:
        """Open the file; within a turn, and again after each fork."""
        connection = open_for_writing(
            self.path,
            busy_timeout_s=self._busy_timeout_s,
            created_at=self._clock(),
            make=not self._place.is_noted,
        )
        try:
            self._place.note()
            self._log.attach(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Have the connection for a block, on the files that are at the path; in a turn."""
        self._place.check_ledger()
        with self._guarded.use() as self._connection:
            if not self._place.has_log():
                self._renew_log()
            yield

    def _renew_log(self) -> None:
        """Go on with a new write-ahead log, when SQLite's files were removed underneath.

        What is committed is in the one that is still open: it is moved into the ledger, unless
        somebody has begun another one since, in which case it was done before, or is too late.
        """
        if self._place.lost_log():
            logger.error(
                "ledger %s: its files -wal or -shm were removed while it was open; what is in"
                " them is moved into the ledger, and they are begun anew",
                self.path,
            )
            cut(self._connection, round(self._busy_timeout_s * 1000))
        else:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._connection = self._guarded.renew()

    def _append_new(
        self, records: Sequence[Record], give_way: GiveWay | None
    ) -> list[Receipt | DuplicateEvent]:
        with transaction(self._connection):
            entries = self._insert(records, give_way)
        return list(self._receipts(entries))

    def _append_settled(self, records: Sequence[Record]) -> list[Receipt | DuplicateEvent]:
        with transaction(self._connection):
            settled = settle(records, self._known, self._encoder)
            entries = self._insert(settled.new)
        return settled.outcomes(self._receipts(entries))

    def _receipts(self, entries: Sequence[Entry]) -> list[Receipt]:
        receipts = [_receipt(entry) for entry in entries]
        self._last = receipts[-1] if receipts else self._last
        return receipts

    def _insert(self, records: Sequence[Record], give_way: GiveWay | None = None) -> list[Entry]:
        execute = self._connection.execute
        first, tree = read_head(self._connection, self.path)
        self._check_still_there(first)
        recorded_at = self._clock()
        entries: list[Entry] = []
        rows_max = ROWS_A_STATEMENT if give_way is None else ROWS_A_STEP
        while left := len(records) - len(entries):
            # Powers of two: a handful of statements serves every size of batch.
            size = min(rows_max, 1 << (left.bit_length() - 1))
            begin = len(entries)
            rows = [
                record.row(index, recorded_at)
                for index, record in enumerate(records[begin : begin + size], first + begin)
            ]
            execute(_insert_statement(size), tuple(chain.from_iterable(rows)))
            entries += rows
            if give_way is not None:
                give_way()
        if entries:
            grow(self._connection, first, tree, [entry.leaf_hash for entry in entries])
        return entries

    def _check_still_there(self, next_index: int) -> None:
        if self._last is not None and next_index <= self._last.log_index:
            msg = (
                f"ledger {self.path}: it had entry {self._last.log_index}, and has only"
                f" {next_index} entries now; the file was overwritten by an older copy, or lost its"
                " write-ahead log: put the newer one back."
            )
            raise LedgerAstray(msg)

    def _ledger_id(self) -> str:
        return str(self._connection.execute("SELECT ledger_id FROM ledger").get)

    def _next_index(self) -> int:
        found = self._connection.execute("SELECT coalesce(max(log_index), -1) + 1 FROM entries")
        return int(found.get)

    def _known(self, ids: Sequence[str]) -> dict[str, Known]:
        rows = self._connection.execute(
            "SELECT id, log_index, leaf_hash, recorded_at, body FROM entries"
            " WHERE id IN (SELECT value FROM json_each(?1)) UNION ALL"
            " SELECT id, log_index, leaf_hash, recorded_at, NULL FROM pruned"
            " WHERE id IN (SELECT value FROM json_each(?1))",
            (orjson.dumps(ids).decode("utf-8"),),
        )
        return {row[0]: Known(Receipt(*row[1:4]), row[4]) for row in rows}


@lru_cache(maxsize=16)
def _insert_statement(rows: int) -> str:
    one = f"({','.join('?' * len(COLUMNS))})"
    return f"INSERT INTO entries ({','.join(COLUMNS)}) VALUES {','.join([one] * rows)}"


def _receipt(entry: Entry) -> Receipt:
    return Receipt(entry.log_index, entry.leaf_hash, entry.recorded_at)
