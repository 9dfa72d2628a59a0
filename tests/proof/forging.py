"""A thief's tools: raw SQL on a ledger without its triggers, and a new tree over what is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from minutebook.actors.ledger.ed25519 import Signer
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.entry import COLUMNS, Record, leaf_hash, leaf_input
from minutebook.domain.merkle import EMPTY, CompactRange
from minutebook.domain.note import Note, SecretKey

STORED_LEVEL = 8


@contextmanager
def forging(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger without its triggers, which are put back in the end."""
    with closing(sqlite3.connect(path)) as database:
        triggers = database.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        yield database
        for _, sql in triggers:
            database.execute(sql)
        database.commit()


def count(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM entries").fetchone()[0])


def body_of(database: sqlite3.Connection, index: int) -> bytes:
    return bytes(
        database.execute("SELECT body FROM entries WHERE log_index = ?", (index,)).fetchone()[0]
    )


def rewrite(
    database: sqlite3.Connection, index: int, body: bytes, recorded_at: int | None = None
) -> None:
    """Give an entry other stored bytes, with columns and leaf hash that fit."""
    (stored,) = database.execute(
        "SELECT recorded_at FROM entries WHERE log_index = ?", (index,)
    ).fetchone()
    row = Record.of(body).row(index, stored if recorded_at is None else recorded_at)
    columns = ", ".join(f"{name} = ?" for name in COLUMNS)
    database.execute(f"UPDATE entries SET {columns} WHERE log_index = ?", (*row, index))


def edited(body: bytes, **envelope: Any) -> bytes:
    """Stored bytes that say something else of their envelope."""
    said = orjson.loads(body)
    said.update(envelope)
    return orjson.dumps(said)


def add(database: sqlite3.Connection, body: bytes) -> int:
    """Add an entry behind the last, and leave the tree alone."""
    index, recorded_at = database.execute(
        "SELECT max(log_index) + 1, max(recorded_at) FROM entries"
    ).fetchone()
    row = Record.of(body).row(index, recorded_at)
    database.execute(f"INSERT INTO entries VALUES ({', '.join('?' * len(row))})", row)
    return int(index)


def swap(database: sqlite3.Connection, one: int, other: int) -> None:
    """Let two rows change places, each as it is."""
    for old, new in ((one, -1), (other, one), (-1, other)):
        database.execute("UPDATE entries SET log_index = ? WHERE log_index = ?", (new, old))


def close_up(database: sqlite3.Connection, index: int) -> None:
    """Renumber all behind an index by one less, so that no hole is seen."""
    database.execute("UPDATE entries SET log_index = -log_index WHERE log_index > ?", (index,))
    database.execute("UPDATE entries SET log_index = -log_index - 1 WHERE log_index < 0")


def regrow(database: sqlite3.Connection) -> CompactRange:
    """Make leaf hashes and the whole stored tree anew over what is there."""
    rows = database.execute("SELECT recorded_at, body FROM entries ORDER BY log_index")
    leaves = [leaf_hash(leaf_input(recorded_at, body)) for recorded_at, body in rows]
    tree, completed = EMPTY.extended(leaves)
    database.execute("DELETE FROM tree_nodes")
    for level, first, hashes in completed:
        if level >= STORED_LEVEL:
            database.executemany(
                "INSERT INTO tree_nodes VALUES (?, ?, ?)",
                [(level, position, digest) for position, digest in enumerate(hashes, first)],
            )
    database.execute("UPDATE tree SET size = ?, hashes = ?", (tree.size, tree.as_bytes()))
    return tree


def roots(database: sqlite3.Connection, sizes: list[int]) -> dict[int, bytes]:
    """The roots of the tree at some sizes."""
    leaves = [
        row[0] for row in database.execute("SELECT leaf_hash FROM entries ORDER BY log_index")
    ]
    return {size: EMPTY.extended(leaves[:size])[0].root() for size in sizes}


def checkpoints(database: sqlite3.Connection) -> list[tuple[int, int, str]]:
    """Number, size and note of each."""
    return database.execute(
        "SELECT number, size, note FROM signed_notes WHERE kind = 'checkpoint' ORDER BY number"
    ).fetchall()


def sign(checkpoint: Checkpoint, signer: Signer) -> str:
    text = checkpoint.as_text()
    return Note(text, (signer.sign(text),)).as_text()


def sign_all(database: sqlite3.Connection, signer: Signer) -> None:
    """Sign every checkpoint anew, for the tree that is there now."""
    rows = checkpoints(database)
    for number, size, text in rows:
        old = Checkpoint.of_text(Note.of_text(text).text)
        root = roots(database, [size])[size]
        note = sign(Checkpoint(old.origin, size, root), signer)
        database.execute("UPDATE signed_notes SET note = ? WHERE number = ?", (note, number))


def add_note(database: sqlite3.Connection, note: str, size: int, kind: str = "checkpoint") -> None:
    database.execute(
        "INSERT INTO signed_notes SELECT max(number) + 1, ?, ?, max(signed_at), '', ?"
        " FROM signed_notes",
        (kind, size, note),
    )


def cut(database: sqlite3.Connection, size: int) -> None:
    """Take away all entries from a size on, and all that tells of them."""
    database.execute("DELETE FROM entries WHERE log_index >= ?", (size,))
    database.execute("DELETE FROM signed_notes WHERE size > ?", (size,))
    regrow(database)


def signer_of(key: Path) -> Signer:
    return Signer(SecretKey.of_text(key.read_text()))
