"""``minutebook stats``: the numbers are those of the entries, counted by hand or by other means."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.events import AuditGap, SessionCreated
from tests.cli.conftest import HOSTILE, Run, Terminal
from tests.contract.trail import new_encoder, stored
from tests.migrations.stored_files import unpack

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def counted(run: Run, ledger: Path) -> dict[str, Any]:
    ran = run("stats", ledger, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def test_the_numbers_are_those_of_the_entries(run: Run, tmp_path: Path) -> None:
    """Compared with what the standard library's SQLite counts, row by row."""
    ledger = unpack(1, tmp_path)
    with closing(sqlite3.connect(ledger)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM entries")]
    size = ledger.stat().st_size
    said = counted(run, ledger)
    assert (said["entries"], said["file_bytes"]) == (len(rows), size)
    assert said["stored_bytes"] == sum(len(row["body"]) for row in rows)
    for name, column in (("types", "type"), ("users", "user_identity"), ("outcomes", "outcome")):
        pairs = [(entry[column], entry["entries"]) for entry in said[name]]
        assert dict(pairs) == {
            value: sum(row[column] == value for row in rows)
            for value in {row[column] for row in rows}
        }
        assert [count for _, count in pairs] == sorted(dict(pairs).values(), reverse=True)
    assert sum(each["entries"] for each in said["producers"]) == len(rows)
    assert [each["first_index"] for each in said["producers"]] == [0, 4, 76]
    lags = [row["recorded_at"] - row["occurred_at"] for row in rows]
    assert said["slowest"] == {
        "log_index": lags.index(max(lags)),
        "lag_s": max(lags) / 1_000_000,
    }
    assert said["gaps"] == [{"cause": "duplicate_id", "entries": 1, "events": 1}]
    assert ledger.stat().st_size == size


def test_days_holes_and_gaps(run: Run, tmp_path: Path) -> None:
    """Also before the epoch, out of order, and with numbers that nobody has."""
    ledger = SqliteLedger(tmp_path / "l.db", new_encoder())
    encoder = new_encoder()
    moments = (-1, 0, 86_399_999_999, 86_400_000_000, -86_400_000_001)
    events = [
        SessionCreated(
            actor_name="a", user_identity=HOSTILE, occurred_at=EPOCH + timedelta(microseconds=us)
        )
        for us in moments
    ]
    gap = AuditGap(
        cause="unreadable",
        count=4,
        first_seq=6,
        last_seq=9,
        event_id=None,
        event_type=None,
        detail="torn",
        occurred_at=EPOCH,
    )
    numbers = (0, 1, 2, 4, 5)
    ledger.append(
        [stored(encoder, event, number) for event, number in zip(events, numbers, strict=True)]
        + [stored(encoder, gap, 6), stored(encoder, SessionCreated(actor_name="b"), 10)]
        + [stored(encoder, SessionCreated(actor_name="c"), 3, "ff" * 16)]
    )
    ledger.close()
    said = counted(run, tmp_path / "l.db")
    assert said["days"][:-1] == [
        {"day": "1969-12-30", "entries": 1},
        {"day": "1969-12-31", "entries": 1},
        {"day": "1970-01-01", "entries": 3},
        {"day": "1970-01-02", "entries": 1},
    ]
    assert said["occurred_first"] == "1969-12-30T23:59:59.999999Z"
    assert said["gaps"] == [{"cause": "unreadable", "entries": 1, "events": 4}]
    # Number 3 is missing; 7 to 9 are the gap's.
    assert [each["missing"] for each in said["producers"]] == [1, 0]
    assert {each["user_identity"] for each in said["users"]} == {HOSTILE, None}
    text = run("stats", tmp_path / "l.db").stdout
    assert "gaps       4 events, and 1 numbers missing\n" in text
    assert f"missing of                        entries\n{'0a' * 16}        1\n" in text
    assert "\x1b" not in text


def test_an_empty_ledger_and_none(run: Run, tmp_path: Path) -> None:
    SqliteLedger(tmp_path / "l.db", new_encoder()).close()
    said = counted(run, tmp_path / "l.db")
    assert (said["entries"], said["slowest"], said["types"], said["days"]) == (0, None, [], [])
    ran = run("stats", tmp_path / "l.db")
    assert ran.returncode == 0
    assert "entries    0, of 0 bytes\nproducers  0\n" in ran.stdout
    missing = run("stats", tmp_path / "none.db")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "there is no ledger" in missing.stderr


def test_in_a_terminal(terminal: Terminal, ledger: Path) -> None:
    said = terminal(80, "stats", ledger)
    assert "entries    6" in said
    assert "config.changed" in said
