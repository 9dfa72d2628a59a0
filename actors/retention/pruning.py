"""Pruning: entries go in bounded chunks, each told in the transaction that removes it.

A chunk is as large as its lock may be held: how long the last ones took decides. What goes was
signed before, is under no legal hold, and is in an archive where the policy says so.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import apsw
import orjson

from minutebook.actors.ledger.checking import last_seq
from minutebook.actors.ledger.clock import now_microseconds
from minutebook.actors.ledger.ed25519 import load
from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.signing import CHECKPOINTED
from minutebook.actors.ledger.tombstones import COLUMNS as STONE_COLUMNS
from minutebook.actors.ledger.tree import catch_up, read_head
from minutebook.actors.retention.clerk import Clerk
from minutebook.actors.retention.covered import archived_ranges, is_covered
from minutebook.actors.retention.holding import read_holds
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.events.retention import AuditPruned, PrunedType
from minutebook.domain.holds import Held, split_held
from minutebook.domain.note import encoded_hash
from minutebook.domain.pruning import KEPT_TYPES, PruningStatement, Tombstone, digest_of
from minutebook.domain.state.retention import PruneResult

HOLD_S_MAX: Final = 0.050
"""How long nobody else can write, at most, while a chunk goes."""

HOLD_S_WANTED: Final = 0.010
"""What a chunk's size is made for: far below, since the disk's pace changes."""

ROWS_FIRST: Final = 32
"""Size of the first chunk."""

ROWS_MAX: Final = 1024
"""Most entries of a chunk."""

LOG_PAGES: Final = 256
"""How long the write-ahead log grows before it is moved into the ledger: a mebibyte is soon moved,
and others wait meanwhile."""

# What follows from a pruning must not make more go, or little by little all would.
_UNCOUNTED: Final = (*KEPT_TYPES, CHECKPOINTED)
_WINDOW: Final = 16_384
_BUSY_TIMEOUT_S: Final = 5.0
_DAY_US: Final = 86_400_000_000


class Rule(NamedTuple):
    """Which entries are to go: those that meet all that is said."""

    days: float | None = None
    """Only what was recorded longer ago than so many days."""
    keep: int | None = None
    """All but the newest so many entries, not counting what tells of prunings, segments, holds,
    erasures and checkpoints."""
    types: tuple[str, ...] = ()
    """Only these types; patterns such as ``plan.*``; any when none are said."""
    except_types: tuple[str, ...] = ()
    """None of these types, or patterns."""
    archived_only: bool = False
    """Only what is in an archive."""

    def in_words(self) -> str:
        """Return it as ``audit.pruned`` says it."""
        said = []
        if self.days is not None:
            said.append(f"older than {self.days:g} days")
        if self.keep is not None:
            said.append(f"all but the newest {self.keep}")
        if self.types:
            said.append(f"of type {', '.join(self.types)}")
        if self.except_types:
            said.append(f"not of type {', '.join(self.except_types)}")
        if self.archived_only:
            said.append("archived")
        return "; ".join(said)


class _Window(NamedTuple):
    """What of a stretch of the ledger a rule means."""

    matching: list[Held]
    next_index: int
    is_beyond: bool


class Pruner:
    """Removes what a rule says; used by one thread.

    Args:
        clerk: enters ``audit.pruned``; its ledger signs.
        rule: what is to go.
        requested_by: whether the policy asks for it, or a person.
        clock: seconds, for the time that the lock is held.
        now: microseconds since the epoch, for ages.

    Raises:
        InvalidCommand: the rule says nothing, or something impossible.
    """

    def __init__(
        self,
        clerk: Clerk,
        rule: Rule,
        *,
        requested_by: Literal["policy", "person"],
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], int] = now_microseconds,
    ) -> None:
        if rule.days is None and rule.keep is None and not rule.types:
            msg = "a rule that names no age, count or type would prune all; name one."
            raise InvalidCommand(msg)
        if (rule.days or 0) < 0 or (rule.keep or 0) < 0:
            msg = f"no entries are {rule.in_words()}; give numbers from 0."
            raise InvalidCommand(msg)
        self._clerk = clerk
        self._rule = rule
        self._requested_by: Literal["policy", "person"] = requested_by
        self._clock = clock
        self._before = None if rule.days is None else now() - round(rule.days * _DAY_US)
        self._rows = ROWS_FIRST
        self._cut_off = False
        self._longest_s = 0.0
        self.chunks: list[tuple[int, float]] = []
        """Size of each chunk, and how many seconds it took."""

    def run(self, stop: Callable[[], bool] = lambda: False) -> PruneResult:
        """Remove all that the rule says.

        Args:
            stop: asked before each chunk; ends it there.

        Raises:
            LedgerError: the ledger cannot be read or written; what went until then is told.
        """
        load()  # or the first chunk would, while everybody waits
        self._clerk.ledger.checkpoint()
        file = LedgerFile(self._clerk.ledger.path, busy_timeout_s=_BUSY_TIMEOUT_S)
        counts: Counter[str] = Counter()
        finished = False
        try:
            end = file.run(self._end)
            archived = file.run(archived_ranges) if self._rule.archived_only else ()
            place = 0
            while not finished and not stop():
                window = file.run(partial(self._look, first=place, end=end))
                place = window.next_index
                finished = place >= end or window.is_beyond
                matching = window.matching
                if self._rule.archived_only:
                    matching = [one for one in matching if is_covered(archived, one.log_index)]
                    counts["unarchived"] += len(window.matching) - len(matching)
                counts["held"] += self._remove(matching, stop)
        finally:
            file.close()
        return PruneResult(
            pruned=sum(size for size, _ in self.chunks),
            held=counts["held"],
            unarchived=counts["unarchived"],
            chunks=len(self.chunks),
            longest_hold_s=self._longest_s,
            finished=finished and not self._cut_off,
        )

    # -- looking ------------------------------------------------------------------------------

    def _end(self, connection: apsw.Connection) -> int:
        """Return the index before which entries may go: what was signed, and is not to be kept."""
        signed = connection.execute(
            "SELECT coalesce(max(size), 0) FROM signed_notes WHERE kind = 'checkpoint'"
        ).get
        if not self._rule.keep:
            return int(signed)
        nth = connection.execute(
            f"SELECT log_index FROM entries WHERE type NOT IN ({', '.join('?' * len(_UNCOUNTED))})"
            " ORDER BY log_index DESC LIMIT 1 OFFSET ?",
            (*_UNCOUNTED, self._rule.keep - 1),
        ).fetchone()
        return 0 if nth is None else int(min(signed, nth[0]))

    def _look(self, connection: apsw.Connection, first: int, end: int) -> _Window:
        conditions = ["log_index >= ?", "log_index < ?"]
        bindings: list[Any] = [first, min(first + _WINDOW, end)]
        conditions.append(f"type NOT IN ({', '.join('?' * len(KEPT_TYPES))})")
        bindings += KEPT_TYPES
        if self._rule.types:
            conditions.append(f"({' OR '.join(['type GLOB ?'] * len(self._rule.types))})")
            bindings += self._rule.types
        for pattern in self._rule.except_types:
            conditions.append("type NOT GLOB ?")
            bindings.append(pattern)
        everything = (
            f"SELECT {', '.join(Held._fields)} FROM entries WHERE {' AND '.join(conditions)}"
        )
        if self._before is None:
            rows = connection.execute(f"{everything} ORDER BY log_index", bindings).fetchall()
            return _Window([Held._make(row) for row in rows], bindings[1], False)
        rows = connection.execute(
            f"{everything} AND recorded_at < ? ORDER BY log_index", [*bindings, self._before]
        ).fetchall()
        # Entries are recorded in order of time: behind a stretch without an old one come none.
        there = connection.execute(
            "SELECT min(recorded_at) FROM entries WHERE log_index >= ? AND log_index < ?",
            bindings[:2],
        ).get
        is_beyond = there is not None and there >= self._before
        return _Window([Held._make(row) for row in rows], bindings[1], is_beyond)

    # -- removing -----------------------------------------------------------------------------

    def _remove(self, matching: Sequence[Held], stop: Callable[[], bool]) -> int:
        place, held = 0, 0
        while place < len(matching) and not stop():
            chunk = matching[place : place + self._rows]
            place += len(chunk)
            held += self._remove_chunk(chunk)
        self._cut_off = place < len(matching)
        return held

    def _remove_chunk(self, chunk: Sequence[Held]) -> int:
        """Remove what no hold keeps of a chunk; return how many are kept."""
        with self._clerk.turn() as connection:
            began = self._clock()
            with self._clerk.deed(connection):
                # In the transaction: a hold that was placed a moment ago counts.
                free, held = split_held(chunk, tuple(read_holds(connection).values()))
                stones = _stones(connection, free)
                if stones:
                    self._remove_all(connection, stones)
            taken = self._clock() - began
        if stones:
            self.chunks.append((len(stones), taken))
            self._adapt(taken)
            # In a turn of its own, so that others may write in between.
            began = self._clock()
            self._clerk.ledger.keep_log_short(LOG_PAGES)
            self._longest_s = max(self._longest_s, taken, self._clock() - began)
        return len(held)

    def _adapt(self, taken: float) -> None:
        factor = min(2.0, max(0.25, HOLD_S_WANTED / max(taken, 1e-6)))
        self._rows = max(1, min(ROWS_MAX, int(self._rows * factor)))

    def _remove_all(self, connection: apsw.Connection, stones: list[Tombstone]) -> None:
        ledger = self._clerk.ledger
        # Overwrites what is removed; copies from when SQLite moved it between pages may stay.
        connection.pragma("secure_delete", True)
        told_at, tree = read_head(connection, ledger.path)
        root = catch_up(connection, tree, told_at).root()
        count, digest = digest_of(stones)
        statement = PruningStatement(ledger.signing.origin(connection), told_at, count, digest)
        note = ledger.signing.note(connection, statement.as_text())
        indexes = orjson.dumps([[stone.log_index, stone.next_seq] for stone in stones]).decode()
        types: list[Any] = connection.execute(
            "SELECT entries.type, count(*) FROM json_each(?) AS gone JOIN entries"
            " ON log_index = gone.value ->> 0 GROUP BY entries.type ORDER BY 1",
            (indexes,),
        ).fetchall()
        self._clerk.told(
            AuditPruned(
                source=self._clerk.source,
                policy=self._rule.in_words(),
                requested_by=self._requested_by,
                count=count,
                first_index=stones[0].log_index,
                last_index=stones[-1].log_index,
                types=tuple(PrunedType(event_type=name, count=each) for name, each in types),
                size_before=told_at,
                root_before=encoded_hash(root),
                note=note.as_text(),
            )
        )
        connection.execute(
            f"INSERT INTO pruned (told_at, {STONE_COLUMNS})"
            " SELECT ?, log_index, entries.id, recorded_at, producer, producer_seq,"
            " gone.value ->> 1, leaf_hash FROM json_each(?) AS gone JOIN entries"
            " ON log_index = gone.value ->> 0 ORDER BY log_index",
            (told_at, indexes),
        )
        connection.execute(
            "DELETE FROM entries WHERE log_index IN"
            " (SELECT log_index FROM pruned WHERE told_at = ?)",
            (told_at,),
        )


def _stones(connection: apsw.Connection, indexes: Sequence[int]) -> list[Tombstone]:
    """Return what will stay of entries; of those that are still there."""
    rows: list[Any] = connection.execute(
        "SELECT log_index, id, recorded_at, producer, producer_seq, leaf_hash,"
        " iif(type = 'audit.gap', body, NULL) FROM entries"
        " WHERE log_index IN (SELECT value FROM json_each(?)) ORDER BY log_index",
        (orjson.dumps(list(indexes)).decode(),),
    ).fetchall()
    return [
        Tombstone(
            index, name, at, producer, seq, (seq if gap is None else last_seq(gap, seq)) + 1, leaf
        )
        for index, name, at, producer, seq, leaf, gap in rows
    ]
