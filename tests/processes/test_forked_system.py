"""A child forked in mid-stream: the parent's system goes on in it by itself.

With the first use in the child the object gets a producer, connection, journal and threads of
its own; the parent's are left alone.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain import bind
from minutebook.domain.entry import Entry
from tests.contract.trail import (
    WAIT_S,
    Counted,
    check_trail,
    counted,
    entries_of,
    run_child,
    start_child,
    wait_until,
)
from tests.processes.serving import ask_while_workers_come_and_go, gunicorn

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def tell(system: AuditSystem, who: str, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        system.audit.tell(Counted(who=who, number=number))


def fork(work: Callable[[], None], end: Callable[[int], None] = os._exit) -> int:
    """Return the pid of a child that does the work and ends; 0 when it raised nothing."""
    child = os.fork()
    if child == 0:
        signal.alarm(int(WAIT_S))
        code = 1
        try:
            work()
            code = 0
        finally:
            end(code)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def numbers_of(entries: list[Entry], who: str) -> list[int]:
    return [number for name, number in counted(entries) if name == who]


def producers_of(entries: list[Entry], who: str) -> set[str]:
    return {
        entry.producer
        for entry in entries
        if entry.type == Counted.type and entry.payload["who"] == who
    }


def recovered_entries(path: Path) -> list[Entry]:
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    assert [*path.with_name(path.name + ".journal.d").glob("*.owner")] == []
    return entries


def test_both_sides_events_arrive_under_two_producers(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        tell(system, "parent", 500)

        def work() -> None:
            tell(system, "child", 500)
            system.close()

        child = fork(work)
        tell(system, "parent", 500, first=500)
        assert exit_code(child) == 0
    entries = entries_of(path)
    check_trail(entries)
    assert numbers_of(entries, "parent") == list(range(1000))
    assert numbers_of(entries, "child") == list(range(500))
    (parent,), (child_producer,) = producers_of(entries, "parent"), producers_of(entries, "child")
    assert parent != child_producer
    types = [entry.type for entry in entries]
    assert types.count("audit.opened") == types.count("audit.closed") == 2


def test_each_way_to_use_it_first_works(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        uses: list[Callable[[], object]] = [
            lambda: system.audit.tell(Counted(who="tell", number=0)),
            lambda: system.audit.tell(Counted(who="buffered", number=0), "buffered"),
            lambda: system.audit.tell(Counted(who="committed", number=0), "committed"),
            lambda: system.audit.ask(Counted(who="ask", number=0)).get(timeout=WAIT_S),
            lambda: system.sessions.create(actor_name="child").get(timeout=WAIT_S),
            lambda: system.flush(timeout=WAIT_S),
            lambda: system.health(),
        ]
        for use in uses:

            def work(use: Callable[[], object] = use) -> None:
                use()
                system.close()

            assert exit_code(fork(work)) == 0
    entries = entries_of(path)
    check_trail(entries)
    assert [who for who, _ in counted(entries)] == ["tell", "buffered", "committed", "ask"]
    assert [entry.type for entry in entries].count("session.created") == 1


def test_a_child_that_never_uses_it_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)
        before = len(entries_of(path))
        assert exit_code(fork(lambda: None)) == 0
        assert exit_code(fork(system.close)) == 0
        assert len(entries_of(path)) == before
        tell(system, "parent", 1)
    check_trail(entries_of(path))


@pytest.mark.parametrize("how", ["sys.exit", "os._exit", "killed"])
def test_what_a_child_told_is_there_however_it_ends(tmp_path: Path, how: str) -> None:
    """Drained by sys.exit; by the others left in a journal, which the next open recovers."""
    path = tmp_path / "audit.db"
    child = run_child("tests.processes.forking", path, how)
    assert (child.returncode, child.stderr) == (0, "")
    if how == "sys.exit":
        types = [entry.type for entry in entries_of(path)]
        assert types.count("audit.opened") == types.count("audit.closed") == 2
    entries = recovered_entries(path)
    assert numbers_of(entries, "child") == list(range(1000))
    assert numbers_of(entries, "parent") == list(range(1000))


def test_a_killed_childs_journal_is_recovered_by_the_parent(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        child = fork(lambda: tell(system, "child", 1000), lambda _: os.kill(os.getpid(), 9))
        assert exit_code(child) == -signal.SIGKILL
        journals = path.with_name(path.name + ".journal.d")
        wait_until(lambda: len([*journals.glob("*.owner")]) == 1)
        assert numbers_of(entries_of(path), "child") == list(range(1000))
    check_trail(entries_of(path))


def test_the_parents_locks_hold_when_the_child_has_closed(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)
        (owner,) = path.with_name(path.name + ".journal.d").glob("*.owner")
        ledger: Any = system._ledger
        with ledger._turns:  # as while it commits

            def work() -> None:
                tell(system, "child", 1)

            child = fork(work)  # it ends with its event in a journal, for its turn does not come
            assert exit_code(child) == 0
            for file in (owner, Path(f"{path}.lock")):
                descriptor = os.open(file, os.O_RDWR)
                with pytest.raises(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.close(descriptor)
        tell(system, "parent", 1)
        # SQLite's own: another process waits for the parent's transaction.
        with ledger._guarded.use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            other = start_child("tests.processes.transaction", path, 0)
            with pytest.raises(Exception, match="timed out"):
                other.wait(timeout=1)
            connection.execute("ROLLBACK")
        assert other.communicate(timeout=WAIT_S) == ("begun\n", "")
    entries = recovered_entries(path)
    assert sorted(counted(entries)) == [("child", 0), ("parent", 0)]


def test_grandchildren_go_on_too(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:

        def grandchild() -> None:
            tell(system, "grandchild", 100)
            system.close()

        def work() -> None:
            tell(system, "child", 50)
            assert exit_code(fork(grandchild)) == 0
            tell(system, "child", 50, first=50)
            system.close()

        assert exit_code(fork(work)) == 0
        tell(system, "parent", 100)
    entries = entries_of(path)
    check_trail(entries)
    producers = set()
    for who in ("parent", "child", "grandchild"):
        assert numbers_of(entries, who) == list(range(100))
        producers |= producers_of(entries, who)
    assert len(producers) == 3


def test_forks_while_threads_tell_and_batches_are_committed(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    told = [0, 0]
    # Few may wait, or the rest of the test would be committing them.
    with AuditSystem.open(path, backlog_max=5000, block_timeout=WAIT_S) as system:
        done = threading.Event()

        def run(thread: int) -> None:
            while not done.is_set():
                tell(system, f"thread {thread}", 1, first=told[thread])
                told[thread] += 1

        threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for number in range(8):

            def work(who: str = f"child {number}") -> None:
                tell(system, who, 200)
                system.close()

            assert exit_code(fork(work)) == 0
        done.set()
        for thread in threads:
            thread.join(WAIT_S)
    entries = entries_of(path)
    check_trail(entries)
    for number in range(8):
        assert numbers_of(entries, f"child {number}") == list(range(200))
    for number in range(2):
        assert numbers_of(entries, f"thread {number}") == list(range(told[number]))


def test_identity_is_what_each_side_has_bound(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system, bind(identity="alice"):

        def work() -> None:
            tell(system, "as forked", 1)
            with bind(identity="bob"):
                tell(system, "child", 1)
            system.close()

        assert exit_code(fork(work)) == 0
        tell(system, "parent", 1)
    found = {e.payload["who"]: e.user_identity for e in entries_of(path) if e.type == Counted.type}
    assert found == {"as forked": "alice", "child": "bob", "parent": "alice"}


def _tell_1000(system: AuditSystem, task: int) -> None:
    tell(system, f"task {task}", 1000)


_shared: AuditSystem


def _task(task: int) -> None:
    _tell_1000(_shared, task)


@pytest.mark.parametrize("ending", ["joined", "terminated"])
def test_a_pool_of_forked_workers(tmp_path: Path, ending: str) -> None:
    global _shared
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as _shared:
        pool = multiprocessing.get_context("fork").Pool(2)
        pool.map(_task, range(6), 1)
        if ending == "joined":
            pool.close()
        else:
            pool.terminate()
        pool.join()
        tell(_shared, "parent", 10)
    if ending == "joined":
        types = [entry.type for entry in entries_of(path)]
        assert types.count("audit.opened") == types.count("audit.closed")
    entries = recovered_entries(path)
    for task in range(6):
        assert numbers_of(entries, f"task {task}") == list(range(1000))


def test_a_preloaded_gunicorn_opens_once_and_each_worker_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with gunicorn(tmp_path, "--preload", "--max-requests=25", opens="import") as (master, socket):
        answered, pids = ask_while_workers_come_and_go(master, socket, 120)
    log = (tmp_path / "gunicorn.log").read_text()
    assert len(pids) > 4, log
    assert len(answered) > 60, log
    entries = recovered_entries(path)
    numbers = [number for _, number in counted(entries)]
    assert len(set(numbers)) == len(numbers)
    assert set(answered) <= set(numbers)
    assert "Traceback" not in log
