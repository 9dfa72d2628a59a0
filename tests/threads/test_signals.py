"""A signal handler that tells, asks or closes, in the middle of a thread that does the same."""

import itertools
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.domain.errors import AuditClosed
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

# By a thread: the alarm is the tests' own here, and a thread that waits for itself sees none.
pytestmark = pytest.mark.timeout(60, method="thread")


@contextmanager
def handling(handler: Any) -> Iterator[None]:
    """Call the handler every 50 microseconds or so, in the main thread.

    A handler that takes longer than that is interrupted by the next one, to a depth of
    three: without a bound, a slow machine nests them until Python's stack is used up.
    """
    running = 0

    def nested(*_: object) -> None:
        nonlocal running
        if running == 3:
            return
        running += 1
        try:
            handler()
        finally:
            running -= 1

    before = signal.signal(signal.SIGALRM, nested)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.00005)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_handler_that_tells_while_its_thread_tells(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    told: dict[str, list[int]] = {"main": [], "handler": []}
    numbers = {who: itertools.count() for who in told}
    with AuditSystem.open(path) as system:

        def tell(who: str) -> None:
            number = next(numbers[who])
            system.audit.tell(Counted(who=who, number=number))
            told[who].append(number)

        def handler(*_: object) -> None:
            tell("handler")

        with handling(handler):
            for _ in range(20_000):
                tell("main")
    assert len(told["handler"]) > 10
    entries = entries_of(path)
    check_trail(entries)
    stored = {who: [n for name, n in counted(entries) if name == who] for who in told}
    assert stored["main"] == told["main"]
    # A handler may itself be interrupted by the next: all are there, the order is theirs.
    assert sorted(stored["handler"]) == sorted(told["handler"])


def test_a_handler_that_asks_and_flushes_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    indexes: list[int] = []
    with AuditSystem.open(path) as system:

        def handler(*_: object) -> None:
            if len(indexes) >= 50 or len(indexes) < len(futures):
                return
            futures.append(system.audit.ask(Counted(who="handler", number=len(futures))))
            system.flush(timeout=WAIT_S)
            indexes.append(futures[-1].get(timeout=WAIT_S).log_index)

        futures: list[Any] = []
        with handling(handler):
            number = 0
            while len(indexes) < 50:
                system.audit.tell(Counted(who="main", number=number))
                system.audit.ask(Counted(who="asking", number=number)).get(timeout=WAIT_S)
                number += 1
    assert len(set(indexes)) == len(indexes) >= 50
    check_trail(entries_of(path))


def test_a_handler_that_closes_while_its_thread_closes() -> None:
    encoder = new_encoder()
    memory = MemoryLedger(encoder)
    ledger = FaultyLedger(memory)
    ledger.gate.clear()
    system = system_on(ledger, encoder)
    for number in range(100):
        system.audit.tell(Counted(who="x", number=number))
    handled: list[str] = []

    def handler(*_: object) -> None:
        handled.append("begun")
        ledger.gate.set()
        system.close(timeout=WAIT_S)
        handled.append("closed")

    before = signal.signal(signal.SIGUSR1, handler)
    main = threading.get_ident()

    def interrupt() -> None:
        while not system._inbox.closed:
            time.sleep(0.001)
        time.sleep(0.02)  # the main thread waits for the actor now
        signal.pthread_kill(main, signal.SIGUSR1)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        system.close(timeout=WAIT_S)
    finally:
        thread.join(WAIT_S)
        signal.signal(signal.SIGUSR1, before)
    assert handled == ["begun", "closed"]
    with pytest.raises(AuditClosed):
        system.audit.tell(Counted(who="x", number=0))
    assert counted(memory.entries) == [("x", number) for number in range(100)]
