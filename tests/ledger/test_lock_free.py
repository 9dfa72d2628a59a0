"""Appending takes no lock: what that rests on, and that it holds."""

import dis
import inspect
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from minutebook.actors.ledger import journal as journal_module
from minutebook.actors.ledger.gil import HAS_GIL
from minutebook.actors.ledger.journal import Journal
from minutebook.domain.errors import AuditClosed
from tests.contract.trail import PRODUCER, WAIT_S

WINDOW = re.compile(r"^ *if self\._state is state: .*self\._state = ")

# Where CPython may change threads, or run a signal handler, the collector or a tracer.
INTERRUPTIBLE = re.compile("CALL|JUMP_BACKWARD|RESUME|BUILD|MAKE|FOR_ITER|SEND|YIELD|BINARY_OP")


@pytest.fixture
def often_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def functions_with_windows() -> list[FunctionType]:
    return [
        method
        for _, method in inspect.getmembers(Journal, inspect.isfunction)
        if any(WINDOW.match(line) for line in inspect.getsource(method).splitlines())
    ]


def instructions_of(code: CodeType) -> Iterator[dis.Instruction]:
    """Of the functions within, too."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from instructions_of(constant)


def test_the_windows_are_found() -> None:
    """Each place that replaces the state does so by a test and stores in one line."""
    source = inspect.getsource(journal_module)
    stores = re.findall(r"self\._state(?:: _State)? = ", source)
    windows = [line for line in source.splitlines() if WINDOW.match(line)]
    assert len(stores) == len(windows) + 1  # the constructor's
    assert len(functions_with_windows()) >= 3


@pytest.mark.parametrize("method", functions_with_windows(), ids=lambda method: method.__name__)
def test_nothing_can_come_between_the_test_and_the_stores(method: FunctionType) -> None:
    """The bytecode of such a line has nothing at which CPython may interrupt it."""
    lines, first = inspect.getsourcelines(method)
    windows = {first + place for place, line in enumerate(lines) if WINDOW.match(line)}
    line: int | None = None
    seen = 0
    for instruction in instructions_of(method.__code__):
        line = instruction.positions.lineno if instruction.positions else line
        if line not in windows:
            continue
        seen += 1
        assert not INTERRUPTIBLE.search(instruction.opname), instruction
    assert seen > 5


@pytest.mark.usefixtures("often_switching")
def test_no_number_is_given_twice(tmp_path: Path) -> None:
    """Threads that overtake each other at every chance: each event once, in its order."""
    journal = Journal(tmp_path / "j", PRODUCER, event_bytes_max=1024, backlog_max=10**6)
    threads, each = 8, 4000

    def run(who: int) -> None:
        for number in range(each):
            journal.append(b'{"who":%d,"number":%d,"note":"%b"' % (who, number, b"n" * 300))

    running = [threading.Thread(target=run, args=(who,)) for who in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(WAIT_S)
    assert journal.next_seq == threads * each
    bodies: list[bytes] = []
    while journal.untaken:
        bodies += journal.take(threads * each)[0]
    found = [
        tuple(map(int, re.findall(rb'"(?:who|number|producer_seq)":(\d+)', body)))
        for body in bodies
    ]
    assert [seq for _, _, seq in found] == list(range(threads * each))
    for who in range(threads):
        assert [number for teller, number, _ in found if teller == who] == list(range(each))
    journal.end(keep=False)


@pytest.mark.usefixtures("often_switching")
def test_what_was_not_refused_counts_when_it_is_closed(tmp_path: Path) -> None:
    """An append that is under way while the journal is closed is refused, or is there."""
    for turn in range(60):
        journal = Journal(tmp_path / f"{turn}", PRODUCER, event_bytes_max=1024)
        counts = [0] * 4

        def run(who: int, journal: Journal = journal, counts: list[int] = counts) -> None:
            try:
                while True:
                    journal.append(b'{"x":1')
                    counts[who] += 1
            except AuditClosed:
                pass

        running = [threading.Thread(target=run, args=(who,)) for who in range(4)]
        for thread in running:
            thread.start()
        while journal.next_seq < 50:
            pass
        journal.close("closed; open a new one.")
        told = journal.next_seq
        for thread in running:
            thread.join(WAIT_S)
        assert told == journal.next_seq == sum(counts)
        journal.end(keep=False)


def test_without_a_global_lock_there_is_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a free-threaded build: an append waits for whoever holds it."""
    assert getattr(sys, "_is_gil_enabled", lambda: True)() == HAS_GIL
    monkeypatch.setattr(journal_module, "HAS_GIL", False)
    journal = Journal(tmp_path / "j", PRODUCER, event_bytes_max=1024)
    with journal._lock:
        thread = threading.Thread(target=journal.append, args=(b"{",))
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        assert journal.next_seq == 0
    thread.join(WAIT_S)
    assert journal.next_seq == 1
    journal.end(keep=False)
