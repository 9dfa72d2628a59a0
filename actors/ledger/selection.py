"""The SQL for what is asked of a ledger: every value is bound, every filter has its index.

Each index also orders by ``log_index``, so entries come in order without a sort. Only
``occurred_at`` has another order: `minutebook.actors.ledger.spans` first narrows the range of
``log_index``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import orjson

from minutebook.actors.ledger.blocks import IN_BLOCK, block_of
from minutebook.actors.ledger.spans import in_span
from minutebook.actors.ledger.statement import SqlValue, Statement
from minutebook.domain.entry import COLUMNS
from minutebook.domain.query import EntryFilter
from minutebook.domain.surrogates import escape

LAST_INDEX: Final = Statement("SELECT max(log_index) FROM entries", ())
"""The highest index."""

COUNT: Final = Statement("SELECT count(*) FROM entries", ())
"""How many entries there are."""

# Steps from one type to the next by the index: the cost is one seek a type, not one a row.
_TYPES_LIKE: Final = """
WITH RECURSIVE known (type) AS (
    SELECT min(type) FROM entries
    UNION ALL
    SELECT (SELECT min(type) FROM entries WHERE type > known.type)
    FROM known WHERE known.type IS NOT NULL
)
SELECT type FROM known WHERE type GLOB ?
"""


def types_like(pattern: str) -> Statement:
    """Find the types in the ledger that a pattern matches."""
    return Statement(_TYPES_LIKE, (escape(pattern),))


class Selection(NamedTuple):
    """The conditions that a filter puts on a row."""

    conditions: tuple[str, ...]
    bindings: tuple[SqlValue, ...]
    by_block: bool
    """Whether an index of it is one of blocks: a statement is then to be about one block."""

    @classmethod
    def of(cls, wanted: EntryFilter, types: Sequence[str]) -> Selection:
        """Build the conditions.

        Args:
            wanted: the filter.
            types: its types with the patterns resolved; none when it asks for none.
        """
        conditions: list[str] = []
        bindings: list[SqlValue] = []
        if len(types) == 1:
            conditions.append("type = ?")
            bindings.append(escape(types[0]))
        elif types:
            conditions.append("type IN (SELECT value FROM json_each(?))")
            bindings.append(orjson.dumps([escape(name) for name in types]).decode("utf-8"))
        for column, value in (
            ("user_identity", wanted.user),
            ("plan_id", wanted.plan),
            ("session_id", wanted.session),
            ("correlation_id", wanted.correlation),
            ("outcome", wanted.outcome),
        ):
            if value is not None:
                conditions.append(f"{column} = ?")
                bindings.append(escape(value))
        if wanted.outcome not in {None, "success"}:
            # The index has only these, and SQLite must read so to use it.
            conditions.append("outcome <> 'success'")
        # The sign keeps SQLite from sorting by the index on time what is in order already.
        of_time, moments = in_span("+occurred_at", wanted.since, wanted.until)
        return cls((*conditions, *of_time), (*bindings, *moments), by_block=wanted.user is not None)

    def page(self, first: int, last: int, rows: int) -> Statement:
        """Read at most so many of the entries with an index in a range, lowest first."""
        return self._select(", ".join(COLUMNS), first, last, "ORDER BY log_index LIMIT ?", rows)

    def newest(self, first: int, last: int, rows: int) -> Statement:
        """Find the indexes of at most so many, newest first, with an index in a range."""
        return self._select("log_index", first, last, "ORDER BY log_index DESC LIMIT ?", rows)

    def nth_newest(self, first: int, last: int, n: int) -> Statement:
        """Find the index of the n-th newest entry, from 1, with an index in a range."""
        return self._select(
            "log_index", first, last, "ORDER BY log_index DESC LIMIT 1 OFFSET ?", n - 1
        )

    def _select(self, what: str, first: int, last: int, order: str, number: int) -> Statement:
        conditions, bindings = self.conditions, self.bindings
        if self.by_block:
            assert block_of(first) == block_of(last)
            conditions, bindings = (*conditions, IN_BLOCK), (*bindings, block_of(first))
        where = " AND ".join((*conditions, "log_index BETWEEN ? AND ?"))
        return Statement(
            f"SELECT {what} FROM entries WHERE {where} {order}", (*bindings, first, last, number)
        )


def by_index(log_index: int) -> Statement:
    """Read the entry at an index."""
    return Statement(f"SELECT {', '.join(COLUMNS)} FROM entries WHERE log_index = ?", (log_index,))


def by_ids(ids: Sequence[str], *, pruned: bool = False) -> Statement:
    """Find which of some whole ids there are; those that were pruned as well, if asked for."""
    wanted = orjson.dumps(list(ids)).decode("utf-8")
    sql = "SELECT id FROM entries WHERE id IN (SELECT value FROM json_each(?1))"
    if pruned:
        sql += " UNION SELECT id FROM pruned WHERE id IN (SELECT value FROM json_each(?1))"
    return Statement(sql, (wanted,))


def by_id_prefix(prefix: str, rows: int) -> Statement:
    """Read at most so many of the entries whose id begins so."""
    # Ids are UUIDs, hexadecimal digits and hyphens, all of which sort before "~".
    return Statement(
        f"SELECT {', '.join(COLUMNS)} FROM entries WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (escape(prefix), escape(prefix) + "~", rows),
    )
