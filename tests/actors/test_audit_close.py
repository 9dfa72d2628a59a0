"""Closing when the ledger cannot be written: an end, a count, and nobody left waiting."""

import fcntl
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pykka import Future

from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.system import AuditSystem
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import (
    AuditClosed,
    FlushTimeout,
    LedgerBusy,
    LedgerFull,
    UncommittedEvents,
)
from tests.contract.trail import (
    WAIT_S,
    Counted,
    Fault,
    FaultyLedger,
    check_trail,
    counted,
    entries_of,
    new_encoder,
    start_child,
    system_on,
    wait_until,
)


def never(bodies: Sequence[bytes]) -> Fault:
    return Fault(LedgerFull("ledger audit.db: the disk is full; make room on it."))


def dead_system(batch_max: int = 512) -> tuple[AuditSystem, FaultyLedger, MemoryLedger]:
    encoder = new_encoder()
    memory = MemoryLedger(encoder)
    ledger = FaultyLedger(memory, verdict=never)
    return system_on(ledger, encoder, batch_max=batch_max), ledger, memory


@pytest.mark.parametrize("events", [1, 5, 2000])
@pytest.mark.parametrize("batch_max", [3, 512])
def test_a_dead_ledger_ends_in_the_exact_count(events: int, batch_max: int) -> None:
    system, _, memory = dead_system(batch_max)
    futures: list[Future[Receipt]] = []
    for number in range(events):
        if number % 5:
            system.audit.tell(Counted(who="x", number=number))
        else:
            futures.append(system.audit.ask(Counted(who="x", number=number)))
    with pytest.raises(FlushTimeout):
        system.flush(timeout=0.01)  # leaves a barrier among them, which is no event

    with pytest.raises(UncommittedEvents) as lost:
        system.close(timeout=0.1)

    assert lost.value.count == events
    message = str(lost.value)
    assert f"{events} events" in message
    assert "the disk is full" in message
    assert message.endswith(".")
    for future in futures:
        with pytest.raises(UncommittedEvents):
            future.get(timeout=0)
    assert memory.entries == []
    with pytest.raises(AuditClosed):
        system.audit.tell(Counted(who="x", number=0))
    system.close(timeout=0)  # said once


def test_a_flush_that_waits_behind_what_is_lost_does_not_succeed() -> None:
    system, ledger, _ = dead_system(batch_max=1)
    for number in range(3):
        system.audit.tell(Counted(who="x", number=number))
    assert ledger.entered.wait(WAIT_S)
    outcome: list[UncommittedEvents | None] = []

    def flush() -> None:
        try:
            system.flush(timeout=WAIT_S)
        except UncommittedEvents as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=flush)
    thread.start()
    while len(system._inbox) < 3:  # two events and the barrier; it has a batch of its own
        time.sleep(0.001)
    with pytest.raises(UncommittedEvents):
        system.close(timeout=0)
    thread.join(WAIT_S)
    assert [type(error) for error in outcome] == [UncommittedEvents]


def test_what_was_committed_before_is_not_counted() -> None:
    encoder = new_encoder()
    memory = MemoryLedger(encoder)
    dead = threading.Event()
    ledger = FaultyLedger(memory, verdict=lambda bodies: never(bodies) if dead.is_set() else None)
    system = system_on(ledger, encoder)
    for number in range(10):
        system.audit.tell(Counted(who="x", number=number))
    system.flush(timeout=WAIT_S)
    dead.set()
    for number in range(10, 17):
        system.audit.tell(Counted(who="x", number=number))
    with pytest.raises(UncommittedEvents) as lost:
        system.close(timeout=0.05)
    assert lost.value.count == 7
    memory.verify()
    assert counted(memory.entries) == [("x", number) for number in range(10)]


def test_a_ledger_that_comes_back_in_time_loses_nothing() -> None:
    encoder = new_encoder()
    memory = MemoryLedger(encoder)
    ledger = FaultyLedger(memory, [Fault(LedgerBusy("busy; wait."))] * 4)
    system = system_on(ledger, encoder)
    for number in range(100):
        system.audit.tell(Counted(who="x", number=number))
    system.close(timeout=WAIT_S)
    memory.verify()
    check_trail(memory.entries)
    assert counted(memory.entries) == [("x", number) for number in range(100)]


def test_a_healthy_ledger_gets_time_of_its_own_when_none_is_left() -> None:
    encoder = new_encoder()
    memory = MemoryLedger(encoder)
    system = system_on(memory, encoder)
    for number in range(5000):
        system.audit.tell(Counted(who="x", number=number))
    system.close(timeout=0)
    memory.verify()
    assert len(counted(memory.entries)) == 5000


def test_a_with_block_on_a_dead_ledger_keeps_its_own_error() -> None:
    system, _, _ = dead_system()
    system._settings = system._settings.model_copy(update={"close_timeout": 0.05})

    def leave_by_an_error() -> None:
        with system:
            system.audit.tell(Counted(who="x", number=0))
            raise ZeroDivisionError

    with pytest.raises(UncommittedEvents) as lost:
        leave_by_an_error()
    assert isinstance(lost.value.__context__, ZeroDivisionError)


def test_a_close_that_is_interrupted_can_be_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = new_encoder()
    memory = MemoryLedger(encoder)
    ledger = FaultyLedger(memory)
    ledger.gate.clear()
    system = system_on(ledger, encoder)
    for number in range(100):
        system.audit.tell(Counted(who="x", number=number))

    inbox: Any = system._inbox
    real = inbox.close

    def interrupted(ref: object) -> object:
        real(ref)
        raise KeyboardInterrupt

    monkeypatch.setattr(inbox, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        system.close(timeout=WAIT_S)
    monkeypatch.undo()
    ledger.gate.set()
    system.close(timeout=WAIT_S)
    memory.verify()
    assert counted(memory.entries) == [("x", number) for number in range(100)]


@pytest.fixture
def hanging(tmp_path: Path) -> Any:
    """A system on a real file, and a process that holds the lock of its ledger's turns."""
    encoder = new_encoder()
    path = tmp_path / "audit.db"
    system = system_on(SqliteLedger(path, encoder), encoder, path=path, batch_max=10)
    system.audit.ask(Counted(who="x", number=0)).get(timeout=WAIT_S)
    holder = start_child("tests.processes.holding", f"{path}.lock")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    yield system, path, holder
    holder.kill()
    holder.communicate(timeout=WAIT_S)


def test_a_commit_that_hangs_does_not_hang_the_close(hanging: Any) -> None:
    system, path, holder = hanging
    futures = [system.audit.ask(Counted(who="x", number=number)) for number in range(1, 4)]
    wait_until(lambda: len(system._inbox) == 0)
    for number in range(4, 30):
        system.audit.tell(Counted(who="x", number=number))
    futures.append(system.audit.ask(Counted(who="x", number=30)))

    wait_until(lambda: system.health().status == "degraded")
    assert f"{path}.lock" in system.health().reason
    done: list[UncommittedEvents] = []

    def close() -> None:
        with pytest.raises(UncommittedEvents) as lost:
            system.close(timeout=0.2)
        done.append(lost.value)

    thread = threading.Thread(target=close, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    assert [error.count for error in done] == [30]
    assert f"{path}.lock" in str(done[0])
    for future in futures:
        with pytest.raises(UncommittedEvents):
            future.get(timeout=0)
    assert system.health().status == "degraded"

    # Once the other process is gone, the actor finds its way out and closes the file.
    holder.kill()
    wait_until(lambda: system._vitals.stopped)
    assert system._vitals.uncommitted == 0
    check_trail(entries_of(path))


def test_a_lock_that_is_let_go_costs_nothing(hanging: Any) -> None:
    system, path, holder = hanging
    futures = [system.audit.ask(Counted(who="x", number=number)) for number in range(1, 25)]
    wait_until(lambda: system.health().status == "degraded")
    holder.kill()
    assert [future.get(timeout=WAIT_S).log_index for future in futures] == list(range(1, 25))
    wait_until(lambda: system.health().status == "ok")
    system.close(timeout=WAIT_S)
    check_trail(entries_of(path))


def test_a_lock_of_this_very_process_hangs_just_as_little(tmp_path: Path) -> None:
    encoder = new_encoder()
    path = tmp_path / "audit.db"
    system = system_on(SqliteLedger(path, encoder), encoder, path=path)
    descriptor = os.open(f"{path}.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    future = system.audit.ask(Counted(who="x", number=0))
    with pytest.raises(UncommittedEvents) as lost:
        system.close(timeout=0)
    assert lost.value.count == 1
    os.close(descriptor)
    with pytest.raises(UncommittedEvents):
        future.get(timeout=0)
    wait_until(lambda: system._vitals.stopped)
