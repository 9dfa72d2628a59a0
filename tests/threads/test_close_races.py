"""Threads telling and asking while the system closes: nothing taken is missing, nobody hangs."""

import random
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pykka import Future

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import AuditClosed, MinutebookError
from minutebook.domain.state import Session
from tests.contract.trail import (
    WAIT_S,
    Counted,
    check_trail,
    counted,
    entries_of,
    new_encoder,
    system_on,
)

TELLERS = 3


class Taken(NamedTuple):
    """What one thread got rid of before the system refused."""

    told: list[int]
    asked: list[tuple[int, Future[Receipt]]]
    sessions: list[Future[Session]]


def race(system: AuditSystem, chance: random.Random) -> list[Taken]:
    """Let threads tell, ask, flush and call a service until a close refuses them."""
    taken = [Taken([], [], []) for _ in range(TELLERS)]
    begin = threading.Barrier(TELLERS + 1)
    unexpected: list[BaseException] = []

    def work(name: int) -> None:
        own = taken[name]
        begin.wait(WAIT_S)
        try:
            for number in range(1_000_000):
                event = Counted(who=str(name), number=number)
                if number % 7 == 3:
                    own.asked.append((number, system.audit.ask(event)))
                else:
                    system.audit.tell(event)
                    own.told.append(number)
                if number % 50 == 40:
                    system.flush(timeout=WAIT_S)
                if number % 10 == 5 and system._services:
                    own.sessions.append(system.sessions.create(actor_name=f"{name}/{number}"))
        except AuditClosed:
            pass
        except BaseException as error:  # noqa: BLE001 - the main thread fails with it
            unexpected.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(TELLERS)]
    for thread in threads:
        thread.start()
    begin.wait(WAIT_S)
    threading.Event().wait(chance.choice([0, 0, 0.0002, 0.001, 0.003]))
    system.close(timeout=WAIT_S)
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert unexpected == []
    for call in (system.audit.tell, system.audit.ask):
        with pytest.raises(AuditClosed):
            call(Counted(who="late", number=0))
    return taken


def check(taken: list[Taken], entries: Any) -> None:
    check_trail(entries)
    assert entries[-1].type == "audit.closed"
    in_ledger: dict[str, list[int]] = {str(name): [] for name in range(TELLERS)}
    for who, number in counted(entries):
        in_ledger[who].append(number)
    for name, own in enumerate(taken):
        receipts = {number: future.get(timeout=0) for number, future in own.asked}
        for number, receipt in receipts.items():
            assert entries[receipt.log_index].payload == {
                "who": str(name),
                "number": number,
                "note": "",
            }
        assert in_ledger[str(name)] == sorted([*own.told, *receipts])
    sessions = [entry for entry in entries if entry.type == "session.created"]
    created = [future.get(timeout=WAIT_S).session_id for own in taken for future in own.sessions]
    assert sorted(str(entry.session_id) for entry in sessions) == sorted(created)


SOME_OR_ALL = [0.1, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", SOME_OR_ALL)
def test_races_in_memory(part: float) -> None:
    for number in range(int(1500 * part)):
        encoder = new_encoder()
        ledger = MemoryLedger(encoder)
        taken = race(system_on(ledger, encoder), random.Random(number))
        ledger.verify()
        check(taken, ledger.entries)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", SOME_OR_ALL)
def test_races_on_files(tmp_path: Path, part: float) -> None:
    for number in range(int(400 * part)):
        encoder = new_encoder()
        path = tmp_path / f"audit-{number}.db"
        system = system_on(SqliteLedger(path, encoder), encoder, path=path)
        check(race(system, random.Random(number)), entries_of(path))
        path.unlink()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", SOME_OR_ALL)
def test_races_of_whole_systems(tmp_path: Path, part: float) -> None:
    for number in range(int(100 * part)):
        path = tmp_path / f"audit-{number}.db"
        check(race(AuditSystem.open(path), random.Random(number)), entries_of(path))


@pytest.mark.parametrize("number", range(20))
def test_closers_that_race_with_each_other_all_return_after_the_drain(number: int) -> None:
    encoder = new_encoder()
    ledger = MemoryLedger(encoder)
    system = system_on(ledger, encoder)
    for told in range(500):
        system.audit.tell(Counted(who="x", number=told))
    seen: list[int] = []

    def close() -> None:
        system.close(timeout=WAIT_S)
        seen.append(len(ledger.entries))

    threads = [threading.Thread(target=close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert seen == [501] * 4
    check_trail(ledger.entries)


def test_a_service_call_that_comes_late_is_refused_at_once(tmp_path: Path) -> None:
    system = AuditSystem.open(tmp_path / "audit.db")
    system.close()
    with pytest.raises(AuditClosed) as refusal:
        system.sessions.create(actor_name="late")
    assert isinstance(refusal.value, MinutebookError)
