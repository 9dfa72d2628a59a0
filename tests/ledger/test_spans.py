"""Filters by time in a ledger of several blocks, where some events come late."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from minutebook.actors.ledger import spans
from minutebook.actors.ledger.blocks import first_of
from minutebook.actors.ledger.reader import LedgerReader
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.statement import Statement
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.events import AuthSucceeded
from minutebook.domain.query import EntryFilter
from minutebook.domain.redaction import KEY_BYTES, Redactor
from tests.ledger.test_reader import plan_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ENTRIES = 55_000
"""Nearly three and a half blocks."""
USERS = ("alice", "bob", "carol")
LATE = 0.01
"""Share of the events that come up to 20,000 s late; an event occurs each second."""


@pytest.fixture(scope="module")
def told() -> list[tuple[str, datetime]]:
    """Who did something, and when, in the order of the ledger."""
    rng = random.Random(5)
    return [
        (
            rng.choice(USERS),
            BEGIN
            + timedelta(seconds=number - (rng.randrange(20_000) if rng.random() < LATE else 0)),
        )
        for number in range(ENTRIES)
    ]


@pytest.fixture(scope="module")
def ledger(told: list[tuple[str, datetime]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spans") / "audit.db"
    encoder = Encoder(Redactor(b"k" * KEY_BYTES))
    storage = SqliteLedger(path, encoder)
    bodies = [
        with_producer(
            encoder.encode_head(
                AuthSucceeded(
                    method="password",
                    principal=user,
                    attempts=1,
                    user_identity=user,
                    occurred_at=at,
                )
            ),
            "0a" * 16,
            number,
        )
        for number, (user, at) in enumerate(told)
    ]
    for start in range(0, ENTRIES, 5000):
        storage.append(bodies[start : start + 5000])
    storage.close()
    return path


def drawn(rng: random.Random) -> EntryFilter:
    """Draw a filter by time: a span from an instant to all, one end open or none."""
    seconds = rng.choice((0, 1, 60, 3000, 9000, ENTRIES))
    since = BEGIN + timedelta(seconds=rng.randrange(-100, ENTRIES + 100))
    ends = rng.choice(((True, True), (True, True), (True, False), (False, True)))
    return EntryFilter(
        user=rng.choice((None, *USERS)),
        since=since if ends[0] else None,
        until=since + timedelta(seconds=seconds) if ends[1] else None,
    )


@pytest.mark.parametrize("has_blocks", [True, False])
def test_what_is_found_is_what_a_look_at_each_entry_finds(
    ledger: Path, told: list[tuple[str, datetime]], tmp_path: Path, has_blocks: bool
) -> None:
    """In spans that are looked up and in those that are bounded; also in an older ledger."""
    if not has_blocks:
        path = tmp_path / "audit.db"
        path.write_bytes(ledger.read_bytes())
        ledger = path
        apsw.Connection(str(ledger)).execute("DROP INDEX entries_by_block")
    rng, sizes = random.Random(7), []
    with LedgerReader(ledger) as reader:
        for _ in range(60):
            wanted = drawn(rng)
            expected = [
                index
                for index, (user, at) in enumerate(told)
                if wanted.user in (None, user)
                and (wanted.since is None or at >= wanted.since)
                and (wanted.until is None or at < wanted.until)
            ]
            limit = rng.choice((None, 50))
            found = [entry.log_index for entry in reader.entries(wanted, limit=limit)]
            assert found == (expected if limit is None else expected[-limit:])
            sizes.append(len(expected))
    assert min(sizes) == 0
    assert max(sizes) > spans.LOOKED_UP_MAX


def test_a_wide_span_is_bounded_by_blocks(ledger: Path) -> None:
    """Nobody walks through all of its entries."""
    since, until = BEGIN + timedelta(seconds=33_000), BEGIN + timedelta(seconds=40_000)
    connection = apsw.Connection(str(ledger), flags=apsw.SQLITE_OPEN_READONLY)
    asked: list[Statement] = []

    def rows(statement: Statement) -> list[Any]:
        asked.append(statement)
        found: list[Any] = connection.execute(*statement).fetchall()
        return found

    first, last = spans.stretch(rows, since, until, ENTRIES - 1) or (0, 0)
    # Events that came late are in the blocks behind, and none of the span is before its own.
    assert first == first_of(2)
    assert last == ENTRIES - 1
    looked_up = asked[1]
    assert looked_up.bindings[-1] == spans.LOOKED_UP_MAX + 1
    assert "SCAN entries" not in "".join(plan_of(ledger, statement) for statement in asked)
