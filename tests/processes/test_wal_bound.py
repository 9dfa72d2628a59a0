"""SQLite's write-ahead log stays short under readers and writers of ours, and shrinks again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem, LedgerReader
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.wal import WAL_BYTES_MAX
from minutebook.domain.encoding import Encoder
from tests.contract.trail import (
    WAIT_S,
    Counted,
    check_trail,
    entries_of,
    start_child,
    stored,
    wait_until,
)

BOUND = 2 * WAL_BYTES_MAX
"""Stated in the README, for transactions that are small beside it."""

MIB = 1024 * 1024


def wal_bytes(path: Path) -> int:
    wal = path.with_name(path.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def fill(ledger: SqliteLedger, encoder: Encoder, mib: int, numbers: itertools.count[int]) -> int:
    """Append so much, in transactions of 1 MiB; return the largest size of the log."""
    largest = 0
    for _ in range(mib):
        batch = list(itertools.islice(numbers, 16))
        events = [Counted(who="x", number=number, note="n" * 65_000) for number in batch]
        ledger.append([stored(encoder, event, event.number) for event in events])
        largest = max(largest, wal_bytes(ledger.path))
    return largest


def test_an_iteration_that_pauses_does_not_make_it_grow(tmp_path: Path, encoder: Encoder) -> None:
    """A reader has no transaction open between two pages."""
    path = tmp_path / "audit.db"
    ledger, numbers = SqliteLedger(path, encoder), itertools.count()
    fill(ledger, encoder, 40, numbers)
    with LedgerReader(path) as reader:
        reading = reader.entries()
        taken = [next(reading) for _ in range(300)]
        assert fill(ledger, encoder, 60, numbers) < BOUND
        taken += reading
    assert [entry.log_index for entry in taken] == list(range(640))
    ledger.close()


@pytest.mark.parametrize(
    "count", [1500, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_writers_and_busy_readers_of_several_processes_keep_it_short(
    tmp_path: Path, encoder: Encoder, count: int
) -> None:
    path = tmp_path / "audit.db"
    SqliteLedger(path, encoder).close()
    readers = [start_child("tests.processes.reading", path, "busy") for _ in range(2)]
    writers = [start_child("tests.processes.filling", path, name, count) for name in "abc"]
    largest = 0
    while any(writer.poll() is None for writer in writers):
        largest = max(largest, wal_bytes(path))
    for writer in writers:
        assert writer.communicate(timeout=WAIT_S) == ("", "")
    for reader in readers:
        assert reader.communicate(timeout=WAIT_S) == ("reading\n", "")
    assert 0 < largest < BOUND
    entries = entries_of(path)
    check_trail(entries)
    assert len(entries) == 3 * count


@pytest.mark.parametrize("then", ["idle", pytest.param("telling", marks=pytest.mark.slow)])
def test_a_foreign_transaction_makes_it_grow_is_reported_and_then_it_shrinks(
    tmp_path: Path, then: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.audit.ask(Counted(who="x", number=0)).get(timeout=WAIT_S)
        other = start_child("tests.processes.reading", path, "hold")
        assert other.stdout is not None
        assert other.stdout.readline() == "reading\n"
        note = "n" * 200_000
        for number in range(1, 400):
            system.audit.tell(Counted(who="x", number=number, note=note))
        system.flush(timeout=WAIT_S)
        assert wal_bytes(path) > 70 * MIB
        wait_until(lambda: system.health().wal_bytes > 70 * MIB)
        assert system.health().status == "ok"
        wait_until(lambda: any("keeps a transaction open" in said for said in caplog.messages))
        assert other.communicate(timeout=WAIT_S) == ("", "")
        number = 400
        while wal_bytes(path) > WAL_BYTES_MAX or system.health().wal_bytes > WAL_BYTES_MAX:
            if then == "telling":
                system.audit.ask(Counted(who="x", number=number)).get(timeout=WAIT_S)
                number += 1
    assert sum("keeps a transaction open" in said for said in caplog.messages) == 1
    check_trail(entries_of(path))
