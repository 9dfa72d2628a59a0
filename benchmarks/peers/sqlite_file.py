"""What the peers on a SQLite table have in common; the settings are read back, never assumed.

`execute("PRAGMA a; PRAGMA b")` stops at the first returned row, and a peer that was meant to
run with `synchronous=FULL` then runs without: each is set by itself, and asserted.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TABLE = "audit_log"
CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, occurred_at TEXT NOT NULL,
    user_identity TEXT, body TEXT NOT NULL
)
"""
INSERT = f"INSERT INTO {TABLE} (id, type, occurred_at, user_identity, body) VALUES (?, ?, ?, ?, ?)"
SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


def connect(path: Path, journal_mode: str) -> sqlite3.Connection:
    """Open a table for the events, with `synchronous=FULL`; used by any one thread at a time."""
    connection = sqlite3.connect(path, check_same_thread=False, timeout=60)
    connection.execute(f"PRAGMA journal_mode={journal_mode}").fetchall()
    connection.execute("PRAGMA synchronous=FULL").fetchall()
    connection.execute(CREATE)
    connection.commit()
    found = settings_of(connection)
    assert found == {"journal_mode": journal_mode.lower(), "synchronous": "FULL"}, found
    return connection


def settings_of(connection: sqlite3.Connection) -> dict[str, object]:
    """Read back how durable a connection is."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    return {"journal_mode": mode, "synchronous": SYNCHRONOUS[synchronous]}


def count_rows(path: Path, table: str = TABLE, where: str = "1") -> int:
    """Count the rows of a file that nobody has open, or that was left behind."""
    (count,) = column(path, f"SELECT count(*) FROM {table} WHERE {where}")
    return int(count)


def column(path: Path, query: str, bindings: Sequence[object] = ()) -> list[Any]:
    """Return the only column of what a query finds in such a file."""
    connection = sqlite3.connect(path, timeout=60)
    try:
        return [value for (value,) in connection.execute(query, bindings)]
    finally:
        connection.close()
