"""What stays of pruned entries, in the ledger's file: read, and checked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import apsw
import orjson

from minutebook.actors.ledger.ed25519 import verify_signature
from minutebook.actors.ledger.signed_notes import Trust
from minutebook.domain.entry import Record
from minutebook.domain.errors import InvalidNote
from minutebook.domain.finding import Finding
from minutebook.domain.note import Note
from minutebook.domain.pruning import PRUNED, PruningStatement, Tombstone, digest_of

COLUMNS: Final = ", ".join(Tombstone._fields)


def has_tombstones(connection: apsw.Connection) -> bool:
    """Tell whether a ledger is of a version that can have any, and has the table."""
    return bool(
        connection.execute(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'pruned')"
        ).get
    )


def read_tombstones(connection: apsw.Connection, first: int, last: int) -> list[Tombstone]:
    """Return those with an index in a range, the last one exclusive."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM pruned WHERE log_index >= ? AND log_index < ? ORDER BY log_index",
        (first, last),
    )
    return [Tombstone._make(row) for row in rows]


def count_before(connection: apsw.Connection, index: int) -> int:
    """Return how many there are with a smaller index."""
    if not has_tombstones(connection):
        return 0
    sql = "SELECT count(*) FROM pruned WHERE log_index < ?"
    return int(connection.execute(sql, (index,)).get)


def tombstone_of(connection: apsw.Connection, name: str | int) -> tuple[Tombstone, int] | None:
    """Return what stays of an entry, by index or by id, and the index of what told it."""
    if not has_tombstones(connection):
        return None
    column = "log_index" if isinstance(name, int) else "id"
    row: Any = connection.execute(
        f"SELECT {COLUMNS}, told_at FROM pruned WHERE {column} = ?", (name,)
    ).fetchone()
    return None if row is None else (Tombstone._make(row[:-1]), row[-1])


def check_tombstones(connection: apsw.Connection, trusted: Trust) -> Iterator[Finding]:
    """Yield what is wrong with what says that entries were pruned.

    Within one transaction of the connection.

    Args:
        trusted: whose statements count.
    """
    if not has_tombstones(connection):
        return
    both = connection.execute(
        "SELECT log_index FROM pruned JOIN entries USING (log_index) ORDER BY log_index"
    )
    for (index,) in both:
        detail = "it is there, and is said to be pruned as well."
        yield Finding("edited", index, detail)
    rows: Iterator[Any] = connection.execute(
        f"SELECT told_at, {COLUMNS} FROM pruned ORDER BY told_at, log_index"
    )
    for told_at, group in groupby(rows, key=lambda row: row[0]):
        stones = [Tombstone._make(row[1:]) for row in group]
        problem = _problem(connection, told_at, stones, trusted)
        if problem is not None:
            kind, why = problem
            which = f"{len(stones)} entries, {stones[0].log_index} to {stones[-1].log_index},"
            yield Finding(kind, stones[0].log_index, f"{which} are said to be pruned, and {why}.")


def _problem(
    connection: apsw.Connection, told_at: int, stones: list[Tombstone], trusted: Trust
) -> Any:
    row = connection.execute(
        "SELECT body FROM entries WHERE log_index = ? AND type = ?", (told_at, PRUNED)
    ).fetchone()
    if row is None:
        return "deleted", f"entry {told_at} is no {PRUNED} that tells it"
    try:
        note = Note.of_text(Record.payload_of(row[0])["note"])
        said = PruningStatement.of_text(note.text)
    except (InvalidNote, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return "deleted", f"entry {told_at}, which tells it, has no signed statement"
    good, bad = note.signers(trusted.ring.keys, verify_signature)
    if bad or not any(trusted.ring.may_sign(key, told_at) for key in good):
        return "deleted", f"the log did not sign what entry {told_at} tells"
    if said.origin != trusted.origin or said.told_at != told_at:
        return "deleted", f"the statement in entry {told_at} is of another pruning"
    count, digest = digest_of(stones)
    if count > said.gone:
        return "deleted", f"entry {told_at} tells of {said.gone} only"
    if (count, digest) != (said.gone, said.digest):
        return "edited", f"they are not those that entry {told_at} tells"
    return None
