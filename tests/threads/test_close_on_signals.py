"""The handlers that are offered: they commit, and the signal does what it would have done."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors import AuditSystem, close_on_signals
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.domain.errors import SignalsUnavailable
from tests.contract.trail import (
    WAIT_S,
    Counted,
    FaultyLedger,
    check_trail,
    counted,
    entries_of,
    new_encoder,
    system_on,
    wait_until,
)

USR = signal.SIGUSR1


@pytest.fixture
def system(tmp_path: Path) -> Iterator[AuditSystem]:
    with AuditSystem.open(tmp_path / "audit.db") as opened:
        yield opened


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """What a handler of the host's has got, which was there before ours."""
    numbers: list[int] = []
    before = signal.signal(USR, lambda number, _: numbers.append(number))
    yield numbers
    signal.signal(USR, before)


def test_the_hosts_handler_is_called_when_all_that_was_told_is_committed(
    system: AuditSystem, tmp_path: Path
) -> None:
    """It may itself tell: the system is not closed under it, and a next signal does the same."""
    found: list[list[tuple[str, int]]] = []

    def handler(*_: object) -> None:
        found.append(counted(entries_of(tmp_path / "audit.db")))
        system.audit.tell(Counted(who="handler", number=len(found)))

    before = signal.signal(USR, handler)
    try:
        with close_on_signals(system, [USR]):
            for number in range(2):
                system.audit.tell(Counted(who="main", number=number), "buffered")
                signal.raise_signal(USR)
    finally:
        signal.signal(USR, before)
    assert found == [[("main", 0)], [("main", 0), ("handler", 1), ("main", 1)]]


def test_ctrl_c_is_a_keyboard_interrupt_and_its_cleaning_up_may_tell(
    system: AuditSystem, tmp_path: Path
) -> None:
    path = tmp_path / "audit.db"
    with close_on_signals(system):
        system.audit.tell(Counted(who="x", number=0))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert counted(entries_of(path)) == [("x", 0)]
        system.audit.tell(Counted(who="x", number=1))
    system.close()
    check_trail(entries_of(path))
    assert counted(entries_of(path)) == [("x", 0), ("x", 1)]


def test_what_was_there_before_is_put_back(system: AuditSystem, handled: list[int]) -> None:
    before = [signal.getsignal(number) for number in (USR, signal.SIGTERM, signal.SIGINT)]
    with close_on_signals(system, [USR, signal.SIGTERM]):
        with close_on_signals(system):
            assert signal.getsignal(signal.SIGTERM) != before[1]
        assert signal.getsignal(signal.SIGINT) is before[2]
    assert [signal.getsignal(n) for n in (USR, signal.SIGTERM, signal.SIGINT)] == before
    handlers = close_on_signals(system, [USR])
    handlers.restore()
    handlers.restore()
    assert signal.getsignal(USR) is before[0]


def test_a_handler_that_was_put_on_top_stays(system: AuditSystem, handled: list[int]) -> None:
    """The host may chain to ours; restored, ours only passes the signal on."""
    handlers = close_on_signals(system, [USR])
    ours: Any = signal.getsignal(USR)
    calls: list[int] = []

    def on_top(number: int, frame: Any) -> None:
        calls.append(number)
        ours(number, frame)

    signal.signal(USR, on_top)
    handlers.restore()
    assert signal.getsignal(USR) is on_top
    signal.raise_signal(USR)
    assert calls == handled == [USR]


def test_an_ignored_signal_stays_ignored(system: AuditSystem) -> None:
    before = signal.signal(USR, signal.SIG_IGN)
    try:
        with close_on_signals(system, [USR]):
            assert signal.getsignal(USR) is signal.SIG_IGN
    finally:
        signal.signal(USR, before)


def test_a_closed_system_holds_nothing_up(system: AuditSystem, handled: list[int]) -> None:
    with close_on_signals(system, [USR]):
        system.close()
        signal.raise_signal(USR)
    assert handled == [USR]


@pytest.mark.parametrize("number", [signal.SIGKILL, 0, 4711, "SIGTERM"])
def test_a_signal_that_cannot_be_handled_is_refused_and_none_is_changed(
    system: AuditSystem, number: Any
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SignalsUnavailable, match="leave it out"):
        close_on_signals(system, [signal.SIGTERM, number])
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_is_refused(system: AuditSystem) -> None:
    errors: list[Exception] = []

    def call() -> None:
        try:
            close_on_signals(system)
        except SignalsUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(WAIT_S)
    assert "main thread" in str(errors[0])


def test_restored_in_another_thread_it_passes_the_signal_on(
    system: AuditSystem, handled: list[int]
) -> None:
    handlers = close_on_signals(system, [USR])
    thread = threading.Thread(target=handlers.restore)
    thread.start()
    thread.join(WAIT_S)
    signal.raise_signal(USR)
    assert handled == [USR]


def test_a_second_signal_is_not_held_up_by_the_first() -> None:
    """The ledger hangs, the first signal waits for it, and the second is passed on at once."""
    encoder = new_encoder()
    ledger = FaultyLedger(MemoryLedger(encoder))
    ledger.gate.clear()
    system = system_on(ledger, encoder)
    system.audit.tell(Counted(who="x", number=0))
    while_the_first_waits: list[bool] = []

    def handler(*_: object) -> None:
        while_the_first_waits.append(handlers._draining)

    def send() -> None:
        ledger.entered.wait(WAIT_S)
        while not while_the_first_waits:
            os.kill(os.getpid(), USR)
            time.sleep(0.01)
        ledger.gate.set()

    before = signal.signal(USR, handler)
    handlers = close_on_signals(system, [USR], timeout=WAIT_S)
    thread = threading.Thread(target=send)
    try:
        thread.start()
        thread.join(WAIT_S)
    finally:
        ledger.gate.set()
        handlers.restore()
        signal.signal(USR, before)
        system.close(timeout=WAIT_S)
    assert while_the_first_waits[0] is True
    assert while_the_first_waits[-1] is False


@pytest.mark.parametrize("lock_of", [lambda s: s._journal._lock, lambda s: s._inbox._lock])
def test_a_thread_in_the_middle_of_a_tell_finishes_it_first(
    system: AuditSystem, handled: list[int], lock_of: Callable[[AuditSystem], Any]
) -> None:
    """It holds a lock that a service may want before it can stop."""
    with close_on_signals(system, [USR]):
        with lock_of(system):
            signal.raise_signal(USR)
            for _ in range(50):
                time.sleep(0.001)  # the signal comes again and again
            assert handled == []
        wait_until(lambda: handled == [USR])


def test_signals_at_any_moment_of_many_tells_lose_nothing(
    system: AuditSystem, handled: list[int], tmp_path: Path
) -> None:
    main, done = threading.get_ident(), threading.Event()

    def send() -> None:
        while not done.wait(0.002):
            signal.pthread_kill(main, USR)

    thread = threading.Thread(target=send)
    with close_on_signals(system, [USR]):
        thread.start()
        for number in range(5000):
            system.audit.tell(Counted(who="x", number=number))
        done.set()
        thread.join(WAIT_S)
        system.close()
    assert handled
    entries = entries_of(tmp_path / "audit.db")
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(5000)]
