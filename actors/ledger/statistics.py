"""What a ledger holds, in numbers: counts by its indexes, and one look at each entry."""

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple, TypeVar

import apsw

from minutebook.actors.ledger.inspection import inspect_ledger
from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.tombstones import has_tombstones
from minutebook.domain.surrogates import unescape

K = TypeVar("K")

DAY_US: Final = 86_400_000_000
"""Microseconds of a day."""


class Producer(NamedTuple):
    """What one producer has in the ledger."""

    producer: str
    """Its id."""
    entries: int
    """How many entries are its own."""
    first_index: int
    """Index of the first of them."""
    last_index: int
    """Index of the last of them."""
    missing: int
    """Numbers between its first and its last that no entry has, and no ``audit.gap`` names."""


class Gap(NamedTuple):
    """The ``audit.gap`` entries of one cause."""

    cause: str
    """Why, as in ``audit.gap``."""
    entries: int
    """How many such entries there are."""
    events: int
    """How many events they stand for."""


class Lag(NamedTuple):
    """The entry that was recorded the longest after it happened."""

    log_index: int
    """Its index."""
    us: int
    """Microseconds from ``occurred_at`` to ``recorded_at``."""


class Statistics(NamedTuple):
    """Numbers of one moment of a ledger; times are microseconds since the epoch, UTC."""

    ledger_id: str
    """Drawn when the file was made."""
    created_at: int
    """When that was."""
    schema_version: int
    """SQLite ``user_version`` of the file."""
    file_bytes: int
    """Size of the file."""
    log_bytes: int
    """Size of its write-ahead log."""
    entries: int
    """How many there are."""
    stored_bytes: int
    """Sizes of their stored bytes, summed."""
    occurred_first: int | None
    """When the earliest of them happened."""
    occurred_last: int | None
    """When the latest of them happened."""
    types: dict[str, int]
    """Entries by type, most first."""
    users: dict[str | None, int]
    """Entries by who acted, most first."""
    outcomes: dict[str, int]
    """Entries by outcome, most first."""
    days: dict[int, int]
    """Entries by the day when they happened, days since the epoch in UTC, oldest first."""
    producers: tuple[Producer, ...]
    """All who told something, in the order of their first entries."""
    gaps: tuple[Gap, ...]
    """What could not be stored, by cause."""
    slowest: Lag | None
    """The longest way into the ledger; ``None`` when that is empty."""


def read_statistics(path: str | os.PathLike[str], *, busy_timeout_s: float = 5.0) -> Statistics:
    """Count what is in a ledger; writes nothing.

    The whole file is read once or twice: some seconds for a million entries.

    Raises:
        LedgerError: the file cannot be read, of the kind that fits.
    """
    file = LedgerFile(path, busy_timeout_s=busy_timeout_s)

    def read(connection: apsw.Connection) -> Statistics:
        inspect_ledger(connection, file.path)
        return _read(connection, file)

    try:
        return file.run(read)
    finally:
        file.close()


# An index is enough for each of the first four: the entries themselves are not read.
_TYPES: Final = "SELECT type, count(*) FROM entries WHERE log_index <= ? GROUP BY type"
_USERS: Final = (
    "SELECT user_identity, count(*) FROM entries"
    " WHERE user_identity IS NOT NULL AND log_index <= ? GROUP BY user_identity"
)
_OUTCOMES: Final = (
    "SELECT outcome, count(*) FROM entries"
    " WHERE outcome <> 'success' AND log_index <= ? GROUP BY outcome"
)
_DAYS: Final = (
    "SELECT (occurred_at - ((occurred_at % ?1) + ?1) % ?1) / ?1 AS day, count(*)"
    " FROM entries WHERE log_index <= ?2 GROUP BY day ORDER BY day"
)
_SPAN: Final = (
    "SELECT (SELECT min(occurred_at) FROM entries), (SELECT max(occurred_at) FROM entries)"
)
_PRODUCERS: Final = (
    "SELECT producer, count(*), min(log_index) AS first, max(log_index),"
    " max(producer_seq) - min(producer_seq) + 1, sum(length(body))"
    " FROM entries WHERE log_index <= ? GROUP BY producer ORDER BY first"
)
_GAPS: Final = (
    "SELECT producer, payload ->> 'cause', payload ->> 'count',"
    " (payload ->> 'last_seq') - (payload ->> 'first_seq')"
    " FROM (SELECT producer, CAST(body AS TEXT) -> 'payload' AS payload FROM entries"
    " WHERE type = 'audit.gap' AND log_index <= ?)"
)
# Those between its first and its last; a pruned gap stands for several, as others do.
_PRUNED: Final = (
    "SELECT producer, sum(next_seq - producer_seq) FROM pruned"
    " JOIN (SELECT producer, min(producer_seq) AS first, max(producer_seq) AS last FROM entries"
    " WHERE log_index <= ? GROUP BY producer) USING (producer)"
    " WHERE producer_seq BETWEEN first AND last GROUP BY producer"
)
# With one max() and nothing else of the kind, the other column is of the same row.
_SLOWEST: Final = (
    "SELECT log_index, max(recorded_at - occurred_at) FROM entries WHERE log_index <= ?"
)


def _read(connection: apsw.Connection, file: LedgerFile) -> Statistics:
    def rows(sql: str, *bindings: int) -> list[Any]:
        return connection.execute(sql, bindings).fetchall()

    # Entries are never changed: what is below an index is of one state, whoever writes on.
    ((last,),) = rows("SELECT coalesce(max(log_index), -1) FROM entries")
    types = dict(rows(_TYPES, last))
    entries = sum(types.values())
    users = dict(rows(_USERS, last))
    outcomes = dict(rows(_OUTCOMES, last))
    ((earliest, latest),) = rows(_SPAN)
    gaps: dict[str, Gap] = {}
    explained: dict[str, int] = {}
    for producer, cause, count, more in rows(_GAPS, last):
        known = gaps.get(cause, Gap(cause, 0, 0))
        gaps[cause] = Gap(cause, known.entries + 1, known.events + count)
        explained[producer] = explained.get(producer, 0) + more
    if has_tombstones(connection):
        for producer, more in rows(_PRUNED, last):
            explained[producer] = explained.get(producer, 0) + more
    producers = []
    stored_bytes = 0
    for name, count, first, newest, numbers, size in rows(_PRODUCERS, last):
        missing = max(0, numbers - count - explained.get(name, 0))
        producers.append(Producer(name, count, first, newest, missing))
        stored_bytes += size
    (slowest,) = rows(_SLOWEST, last)
    ((ledger_id, created_at),) = rows("SELECT ledger_id, created_at FROM ledger")
    log = file.path.with_name(file.path.name + "-wal")
    return Statistics(
        ledger_id=ledger_id,
        created_at=created_at,
        schema_version=connection.pragma("user_version"),
        file_bytes=file.path.stat().st_size,
        log_bytes=log.stat().st_size if log.exists() else 0,
        entries=entries,
        stored_bytes=stored_bytes,
        occurred_first=earliest,
        occurred_last=latest,
        types=_most_first({unescape(name): count for name, count in types.items()}),
        users=_most_first(
            {unescape(name): count for name, count in users.items()}
            | _rest(None, entries - sum(users.values()))
        ),
        outcomes=_most_first(outcomes | _rest("success", entries - sum(outcomes.values()))),
        days=dict(rows(_DAYS, DAY_US, last)),
        producers=tuple(producers),
        gaps=tuple(sorted(gaps.values())),
        slowest=Lag(*slowest) if entries else None,
    )


def _rest(key: K, count: int) -> dict[K, int]:
    return {key: count} if count else {}


def _most_first(counts: dict[K, int]) -> dict[K, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))
