"""The AuditActor on both ledgers: tell, ask, flush, and how it batches."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from pykka import Future

from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.system import AuditSystem
from minutebook.domain.context import bind
from minutebook.domain.entry import Entry, Receipt
from minutebook.domain.errors import AuditClosed, DuplicateEvent, FlushTimeout, InvalidEvent
from tests.contract.trail import (
    WAIT_S,
    Counted,
    FaultyLedger,
    check_trail,
    counted,
    entries_of,
    new_encoder,
    system_on,
)


class Trail(NamedTuple):
    """An AuditActor, the ledger that it writes to, and how to read that."""

    system: AuditSystem
    ledger: FaultyLedger
    entries: Callable[[], list[Entry]]


MakeTrail = Callable[..., Trail]


@pytest.fixture(params=["memory", "sqlite"])
def make_trail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeTrail]:
    made: list[AuditSystem] = []

    def make(batch_max: int = 512) -> Trail:
        encoder = new_encoder()
        path = tmp_path / "audit.db"
        memory = MemoryLedger(encoder)
        real: Ledger = memory if request.param == "memory" else SqliteLedger(path, encoder)
        ledger = FaultyLedger(real)
        system = system_on(ledger, encoder, path=path, batch_max=batch_max)
        made.append(system)

        def entries() -> list[Entry]:
            if request.param == "sqlite":
                return entries_of(path)
            memory.verify()
            return list(memory.entries)

        return Trail(system, ledger, entries)

    yield make
    for system in made:
        system.close(timeout=WAIT_S)


@pytest.fixture
def trail(make_trail: MakeTrail) -> Trail:
    return make_trail()


def test_what_was_told_is_there_after_a_flush_in_order(trail: Trail) -> None:
    for number in range(1000):
        trail.system.audit.tell(Counted(who="x", number=number))
    trail.system.flush(timeout=WAIT_S)
    entries = trail.entries()
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(1000)]
    assert {entry.producer for entry in entries} == {trail.system.producer}


def test_tell_and_ask_keep_their_common_order(trail: Trail) -> None:
    futures: list[Future[Receipt]] = []
    for number in range(300):
        event = Counted(who="x", number=number)
        if number % 3:
            trail.system.audit.tell(event)
        else:
            futures.append(trail.system.audit.ask(event))
    indexes = [future.get(timeout=WAIT_S).log_index for future in futures]
    assert indexes == list(range(0, 300, 3))
    trail.system.flush(timeout=WAIT_S)
    assert counted(trail.entries()) == [("x", number) for number in range(300)]


def test_a_receipt_names_the_entry(trail: Trail) -> None:
    event = Counted(who="x", number=7, occurred_at=datetime.now(UTC) - timedelta(days=1))
    with bind(identity="alice", correlation_id="req-1"):
        bound = Counted(who="x", number=8)
    trail.system.audit.tell(event)
    receipt = trail.system.audit.ask(bound).get(timeout=WAIT_S)
    first, second = trail.entries()
    assert receipt == Receipt(second.log_index, second.leaf_hash, second.recorded_at)
    assert first.occurred_time == event.occurred_at
    assert (second.user_identity, second.correlation_id) == ("alice", "req-1")
    assert first.user_identity is None
    assert second.recorded_at >= second.occurred_at


def test_asks_that_wait_share_a_transaction(trail: Trail) -> None:
    trail.ledger.gate.clear()
    futures = [trail.system.audit.ask(Counted(who="x", number=number)) for number in range(400)]
    assert trail.ledger.entered.wait(WAIT_S)
    first = trail.ledger.sizes[0]
    trail.ledger.gate.set()
    indexes = [future.get(timeout=WAIT_S).log_index for future in futures]
    assert indexes == list(range(400))
    assert trail.ledger.sizes == ([first, 400 - first] if first < 400 else [400])


def test_a_transaction_has_at_most_batch_max_events(make_trail: MakeTrail) -> None:
    trail = make_trail(batch_max=7)
    trail.ledger.gate.clear()
    for number in range(100):
        trail.system.audit.tell(Counted(who="x", number=number))
    trail.ledger.gate.set()
    trail.system.flush(timeout=WAIT_S)
    assert max(trail.ledger.sizes) == 7
    assert sum(trail.ledger.sizes) == 100
    assert counted(trail.entries()) == [("x", number) for number in range(100)]


def test_a_batch_max_of_one_is_one_transaction_an_event(make_trail: MakeTrail) -> None:
    trail = make_trail(batch_max=1)
    for number in range(20):
        trail.system.audit.tell(Counted(who="x", number=number))
    trail.system.flush(timeout=WAIT_S)
    assert trail.ledger.sizes == [1] * 20


def test_a_lone_event_waits_for_nobody(trail: Trail) -> None:
    for number in range(5):
        trail.system.audit.ask(Counted(who="x", number=number)).get(timeout=WAIT_S)
    assert trail.ledger.sizes == [1] * 5


def test_flushes_and_duplicates_do_not_make_transactions_or_errors_of_others(
    trail: Trail,
) -> None:
    trail.system.flush(timeout=WAIT_S)
    assert trail.ledger.sizes == []
    event = Counted(who="x", number=0)
    other = Counted(who="x", number=1, id=event.id)
    trail.ledger.gate.clear()
    futures = [
        trail.system.audit.ask(told) for told in (event, event, other, Counted(who="x", number=2))
    ]
    trail.ledger.gate.set()

    first, again, conflict, last = futures
    assert first.get(timeout=WAIT_S) == again.get(timeout=WAIT_S)
    with pytest.raises(DuplicateEvent, match="give each event an id of its own"):
        conflict.get(timeout=WAIT_S)
    assert last.get(timeout=WAIT_S).log_index == 3
    entries = trail.entries()
    check_trail(entries)
    assert [entry.type for entry in entries] == [
        "trail.counted",
        "audit.gap",
        "audit.gap",
        "trail.counted",
    ]
    health = trail.system.health()
    assert (health.status, health.rejected, health.last_log_index) == ("ok", 1, 3)


def test_what_cannot_be_stored_raises_in_the_caller_and_costs_nobody(trail: Trail) -> None:
    audit = trail.system.audit
    audit.tell(Counted(who="x", number=0))
    for tell in (audit.tell, audit.ask):
        with pytest.raises(InvalidEvent, match="over the limit"):
            tell(Counted(who="x", number=1, note="n" * 300_000))
        with pytest.raises(InvalidEvent):
            tell(Counted(who="x", number=2**70))
        with pytest.raises(InvalidEvent, match="is no AuditEvent"):
            tell("text")  # type: ignore[arg-type]
    audit.tell(Counted(who="x", number=1))
    trail.system.flush(timeout=WAIT_S)
    check_trail(trail.entries())
    assert counted(trail.entries()) == [("x", 0), ("x", 1)]


def test_a_flush_that_comes_too_early_loses_nothing(trail: Trail) -> None:
    trail.ledger.gate.clear()
    trail.system.audit.tell(Counted(who="x", number=0))
    with pytest.raises(FlushTimeout, match="flush again"):
        trail.system.flush(timeout=0.05)
    trail.ledger.gate.set()
    trail.system.flush(timeout=WAIT_S)
    assert counted(trail.entries()) == [("x", 0)]


def test_a_future_that_its_owner_set_does_not_end_the_trail(trail: Trail) -> None:
    trail.ledger.gate.clear()
    future = trail.system.audit.ask(Counted(who="x", number=0))
    future.set(None)
    trail.ledger.gate.set()
    assert trail.system.audit.ask(Counted(who="x", number=1)).get(timeout=WAIT_S).log_index == 1


def test_closing_drains_and_then_refuses(trail: Trail) -> None:
    trail.ledger.gate.clear()
    for number in range(2000):
        trail.system.audit.tell(Counted(who="x", number=number))
    last = trail.system.audit.ask(Counted(who="x", number=2000))
    trail.ledger.gate.set()
    trail.system.close(timeout=WAIT_S)

    assert last.get(timeout=0).log_index == 2000
    entries = trail.entries()
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(2001)]
    assert entries[-1].type == "audit.closed"
    assert entries[-1].payload["events_told"] == 2002
    for call in (trail.system.audit.tell, trail.system.audit.ask):
        with pytest.raises(AuditClosed, match="open a new one"):
            call(Counted(who="x", number=0))
    with pytest.raises(AuditClosed):
        trail.system.flush(timeout=1)
    trail.system.close(timeout=0)
    assert trail.entries() == entries
    assert trail.system.health().status == "closed"
    assert trail.system.health().backlog == 0


def test_a_with_block_closes_also_when_it_raises(trail: Trail) -> None:
    def leave_by_an_error() -> None:
        with trail.system as entered:
            assert entered is trail.system
            trail.system.audit.tell(Counted(who="x", number=0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave_by_an_error()
    assert [entry.type for entry in trail.entries()] == ["trail.counted", "audit.closed"]
    with pytest.raises(AuditClosed):
        trail.system.audit.tell(Counted(who="x", number=1))
