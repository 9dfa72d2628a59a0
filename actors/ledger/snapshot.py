"""A ledger's small tables, read in one go: where a verifier begins."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import apsw

from minutebook.actors.ledger.inspection import inspect_ledger
from minutebook.actors.ledger.schema_drift import schema_drift
from minutebook.actors.ledger.signed_notes import StoredNote
from minutebook.actors.ledger.signing import origin_of
from minutebook.domain.errors import LedgerError
from minutebook.domain.finding import Finding


class Snapshot(NamedTuple):
    """What they say, and how far the ledger had come."""

    origin: str
    """The name of its log."""
    next_index: int
    """One more than the largest index of an entry."""
    near: int
    """How many entries may have a right index."""
    outside: int
    """How many entries have a negative index."""
    tree: tuple[int, bytes] | None
    """Size and compact range of the stored tree; ``None`` in a ledger of version 1."""
    stored: list[StoredNote]
    """What the log has signed."""
    drift: list[Finding]
    """What is wrong with the schema."""


def read_snapshot(connection: apsw.Connection, path: Path) -> Snapshot:
    """Return the snapshot of a ledger.

    Raises:
        LedgerError: it is none, or lacks a table.
        apsw.Error: it cannot be read.
    """
    inspect_ledger(connection, path, check_pages=False)
    connection.execute("BEGIN")
    try:
        return _read(connection)
    except apsw.SQLError as error:
        msg = f"ledger {path}: {error}; a table is missing: restore a backup."
        raise LedgerError(msg) from error
    finally:
        connection.execute("COMMIT")


def _read(connection: apsw.Connection) -> Snapshot:
    ledger_id = connection.execute("SELECT ledger_id FROM ledger").get
    next_index, outside = connection.execute(
        "SELECT coalesce(max(log_index), -1) + 1,"
        " (SELECT count(*) FROM entries WHERE log_index < 0) FROM entries"
    ).fetchone() or (0, 0)
    tree, stored = None, []
    if connection.pragma("user_version") >= 2:
        tree = connection.execute("SELECT size, hashes FROM tree").fetchone()
        rows = connection.execute(
            "SELECT number, CAST(kind AS BLOB), size, CAST(note AS BLOB) FROM signed_notes"
            " ORDER BY number"
        )
        stored = [
            StoredNote(number, _text(kind), size, _text(note)) for number, kind, size, note in rows
        ]
    # Counting all of them takes as long as reading them.
    near = next_index
    if tree is None or tree[0] != next_index:
        near = _count_near(connection)
    drift = list(schema_drift(connection))
    return Snapshot(origin_of(str(ledger_id)), next_index, near, outside, tree, stored, drift)


def _count_near(connection: apsw.Connection) -> int:
    """Return how many entries there are with an index that so many may have."""
    count = connection.execute(
        "SELECT count(*) FROM entries WHERE log_index BETWEEN 0 AND (SELECT count(*) FROM entries)"
    )
    return int(count.get)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
