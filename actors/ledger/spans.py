"""Which stretch of a ledger can have entries of a span of time.

Entries are in the order in which they were recorded, which is nearly that in which they occurred.
A span of few entries is looked up, by the index on time. One of many is bounded by blocks: the
earliest and the latest entry of each are the ends of its part of an index, one seek away.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from minutebook.actors.ledger.blocks import BLOCK_EXPRESSION, block_of, first_of, last_of
from minutebook.actors.ledger.statement import Statement
from minutebook.domain.entry import to_microseconds

LOOKED_UP_MAX: Final = 4096
"""Spans of more entries are bounded by blocks: to look them all up takes milliseconds."""

HAS_BLOCKS: Final = Statement(
    "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'entries_by_block')", ()
)
"""Whether the ledger is of a version with that index."""


def stretch(
    rows: Callable[[Statement], list[Any]],
    since: datetime | None,
    until: datetime | None,
    newest: int,
) -> tuple[int, int] | None:
    """Find the lowest and the highest index that an entry of a span of time can have.

    Args:
        rows: runs a statement on the ledger.
        since: entries that occurred then or later.
        until: entries that occurred before.
        newest: the highest index that counts.

    Returns:
        Both, or ``None`` when no entry occurred in the span.
    """
    ((has_blocks,),) = rows(HAS_BLOCKS)
    ((first, last, count),) = rows(looked_up(since, until, LOOKED_UP_MAX + 1 if has_blocks else -1))
    if count == 0 or first > newest:
        return None
    if count <= LOOKED_UP_MAX or not has_blocks:
        return first, min(last, newest)
    first, last = 0, newest
    if since is not None:
        ((block,),) = rows(first_block(since, block_of(newest)))
        first = first_of(block)
    if until is not None:
        ((block,),) = rows(last_block(until, block_of(newest)))
        last = min(newest, last_of(block))
    return first, last


def looked_up(since: datetime | None, until: datetime | None, count: int) -> Statement:
    """Find the lowest index, the highest, and the number, of the first entries of a span.

    Args:
        count: how many of them; all when negative.
    """
    conditions, bindings = in_span("occurred_at", since, until)
    return Statement(
        "SELECT min(log_index), max(log_index), count(*) FROM (SELECT log_index FROM entries"
        f" WHERE {' AND '.join(conditions)} LIMIT ?)",
        (*bindings, count),
    )


def first_block(since: datetime, newest: int) -> Statement:
    """Find the lowest block with an entry of then or later; the newest when there is none."""
    return Statement(
        "WITH RECURSIVE walk (block) AS (SELECT 0 UNION ALL SELECT block + 1 FROM walk"
        " WHERE block < ? AND coalesce((SELECT max(occurred_at) FROM entries"
        f" WHERE {BLOCK_EXPRESSION} = block) < ?, 1)) SELECT max(block) FROM walk",
        (newest, to_microseconds(since)),
    )


def last_block(until: datetime, newest: int) -> Statement:
    """Find the highest block with an entry of before; the oldest when there is none."""
    return Statement(
        "WITH RECURSIVE walk (block) AS (SELECT ? UNION ALL SELECT block - 1 FROM walk"
        " WHERE block > 0 AND coalesce((SELECT min(occurred_at) FROM entries"
        f" WHERE {BLOCK_EXPRESSION} = block) >= ?, 1)) SELECT min(block) FROM walk",
        (newest, to_microseconds(until)),
    )


def in_span(
    column: str, since: datetime | None, until: datetime | None
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the conditions, and their bindings, that a span of time puts on a column."""
    conditions: list[str] = []
    bindings: list[int] = []
    if since is not None:
        conditions.append(f"{column} >= ?")
        bindings.append(to_microseconds(since))
    if until is not None:
        conditions.append(f"{column} < ?")
        bindings.append(to_microseconds(until))
    return tuple(conditions), tuple(bindings)
