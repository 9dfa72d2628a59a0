"""A forked child takes nothing from its parent: no lock, no connection; see test_forked_system."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem, LedgerReader
from minutebook.actors.ledger import forks
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.errors import LedgerUnavailable
from tests.contract.trail import (
    WAIT_S,
    Counted,
    check_trail,
    counted,
    entries_of,
    new_encoder,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_child(work: Callable[[], None]) -> int:
    """Run the work in a forked child; its exit code, 0 when the work raised nothing."""
    child = os.fork()
    if child == 0:
        signal.alarm(int(WAIT_S))  # a child that hangs ends as killed by a signal
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def test_a_child_may_open_a_system_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:

        def child() -> None:
            with AuditSystem.open(path) as own:
                own.audit.tell(Counted(who="child", number=0))

        assert in_child(child) == 0
        system.audit.tell(Counted(who="parent", number=0))
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("child", 0), ("parent", 0)]
    assert len({entry.producer for entry in entries}) == 2


def test_children_of_a_busy_process_are_not_caught_in_its_locks(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        done = threading.Event()

        def tell() -> None:
            number = 0
            while not done.is_set():
                system.audit.tell(Counted(who="parent", number=number))
                number += 1

        def child() -> None:
            system.audit.tell(Counted(who="child", number=0), "committed")

        thread = threading.Thread(target=tell)
        thread.start()
        codes = [in_child(child) for _ in range(20)]
        done.set()
        thread.join(WAIT_S)
    assert codes == [0] * 20
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    assert [who for who, _ in counted(entries)].count("child") == 20


@pytest.mark.parametrize("whose", ["the system's", "a recovery's"])
def test_a_child_does_not_keep_the_lock_of_a_parent_that_is_gone(
    tmp_path: Path, whose: str
) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)
        read, write = os.pipe()
        ready, say_ready = os.pipe()
        # The lock as it would be while the parent commits.
        ledger = system._ledger if whose == "the system's" else SqliteLedger(path, new_encoder())
        turns = ledger._turns  # type: ignore[attr-defined]
        turns.__enter__()
        child = os.fork()
        if child == 0:
            os.close(write)
            os.write(say_ready, b"r")
            os.read(read, 1)
            os._exit(0)
        os.close(read)
        os.read(ready, 1)
        turns.close()  # as the kernel does when the parent is killed
        descriptor = os.open(f"{path}.lock", os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
        for end in (write, ready, say_ready):
            os.close(end)
        os.waitpid(child, 0)


def test_a_childs_own_system_loses_nothing_when_the_parent_closes(tmp_path: Path) -> None:
    """What SQLite remembers of the parent's locks must not reach the child's connection."""
    path = tmp_path / "audit.db"
    told_in, told_out = os.pipe()
    closed_in, closed_out = os.pipe()
    system = AuditSystem.open(path)
    system.audit.ask(Counted(who="parent", number=0)).get(timeout=WAIT_S)
    child = os.fork()
    if child == 0:
        signal.alarm(int(WAIT_S))
        own = AuditSystem.open(path)
        for number in range(50):
            own.audit.ask(Counted(who="child", number=number)).get(timeout=WAIT_S)
        os.write(told_out, b"1")
        os.read(closed_in, 1)
        for number in range(50, 100):
            own.audit.ask(Counted(who="child", number=number)).get(timeout=WAIT_S)
        os.kill(os.getpid(), signal.SIGKILL)
    os.read(told_in, 1)
    system.close()
    os.write(closed_out, b"1")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    for descriptor in (told_in, told_out, closed_in, closed_out):
        os.close(descriptor)
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    assert [n for who, n in counted(entries) if who == "child"] == list(range(100))


def test_a_fork_in_the_middle_of_commits_leaves_both_sides_whole(tmp_path: Path) -> None:
    """Again and again: the child opens a system of its own, and the parent goes on."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        for round_ in range(8):
            for number in range(500):
                system.audit.tell(Counted(who=f"parent {round_}", number=number))

            def child(name: str = f"child {round_}") -> None:
                with AuditSystem.open(path) as own:
                    own.sessions.create(actor_name=name).get(timeout=WAIT_S)
                    for number in range(20):
                        own.audit.tell(Counted(who=name, number=number))

            assert in_child(child) == 0
            system.sessions.create(actor_name="parent").get(timeout=WAIT_S)
    entries = entries_of(path)
    check_trail(entries)
    for round_ in range(8):
        for who, count in ((f"parent {round_}", 500), (f"child {round_}", 20)):
            assert [n for name, n in counted(entries) if name == who] == list(range(count))


def test_a_reader_goes_on_in_both_after_a_fork(tmp_path: Path) -> None:
    """A reader's connection is closed for the fork, too, and opened again when it is used."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system, LedgerReader(path) as reader:
        system.audit.ask(Counted(who="parent", number=0)).get(timeout=WAIT_S)
        before = reader.count()

        def child() -> None:
            assert reader.count() == before

        assert in_child(child) == 0
        system.audit.ask(Counted(who="parent", number=1)).get(timeout=WAIT_S)
        assert reader.count() == before + 1


def test_a_child_forked_while_the_ledger_could_not_be_closed_is_refused_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than open it unsafely, the child says what to do; the parent is untouched."""
    path = tmp_path / "audit.db"
    monkeypatch.setattr(forks, "WAIT_S", 0.05)
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)
        ledger = system._ledger
        assert isinstance(ledger, SqliteLedger)

        def child() -> None:
            with pytest.raises(LedgerUnavailable, match="spawn"):
                AuditSystem.open(path)
            with pytest.raises(LedgerUnavailable, match="spawn"):
                system.audit.tell(Counted(who="child", number=0))

        holding, done = threading.Event(), threading.Event()

        def hold() -> None:
            with ledger._guarded.use():
                holding.set()
                done.wait(WAIT_S)

        holder = threading.Thread(target=hold)
        holder.start()
        holding.wait(WAIT_S)
        try:
            assert in_child(child) == 0
        finally:
            done.set()
            holder.join()
        system.audit.ask(Counted(who="parent", number=1)).get(timeout=WAIT_S)
    check_trail(entries_of(path))
