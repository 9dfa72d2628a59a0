"""A forked child has none of the threads: it is refused, and takes nothing from its parent."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain.errors import AuditClosed
from tests.contract.trail import WAIT_S, Counted, check_trail, counted, entries_of

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


def test_a_child_is_refused_at_once_and_told_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.audit.tell(Counted(who="parent", number=0))

        def child() -> None:
            for call in (system.audit.tell, system.audit.ask):
                with pytest.raises(AuditClosed, match="after the fork"):
                    call(Counted(who="child", number=0))
            with pytest.raises(AuditClosed, match="after the fork"):
                system.flush(timeout=1)
            with pytest.raises(AuditClosed, match="after the fork"):
                system.sessions.create(actor_name="child")
            system.close()

        assert in_child(child) == 0
        system.audit.ask(Counted(who="parent", number=1)).get(timeout=WAIT_S)
    check_trail(entries_of(path))
    assert counted(entries_of(path)) == [("parent", 0), ("parent", 1)]


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
            with pytest.raises(AuditClosed):
                system.audit.tell(Counted(who="child", number=0))

        thread = threading.Thread(target=tell)
        thread.start()
        codes = [in_child(child) for _ in range(20)]
        done.set()
        thread.join(WAIT_S)
    assert codes == [0] * 20
    check_trail(entries_of(path))


def test_a_child_does_not_keep_the_lock_of_a_parent_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)
        read, write = os.pipe()
        ready, say_ready = os.pipe()
        # The lock as it would be while the parent commits.
        ledger = system._ledger
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
