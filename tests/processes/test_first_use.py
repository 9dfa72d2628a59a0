"""What a forked child's system is before its first use there, and what that use does."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem, close_on_signals
from minutebook.actors.ledger.owner import OWNER_SUFFIX
from minutebook.domain.entry import Entry
from minutebook.domain.errors import AppDatabaseError, AuditClosed, JournalError, LedgerError
from tests.contract.trail import (
    WAIT_S,
    Counted,
    check_trail,
    counted,
    entries_of,
)
from tests.processes.test_forked_system import exit_code, fork

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def owners(path: Path) -> set[str]:
    return {owner.name for owner in beside(path, ".journal.d").glob(f"*{OWNER_SUFFIX}")}


def open_files() -> int:
    descriptors = Path("/proc/self/fd")
    return len(list(descriptors.iterdir())) if descriptors.exists() else 0


def producers_by_pid(entries: list[Entry]) -> dict[int, str]:
    """Which producer each process was, by what it said of itself first."""
    opened = [entry for entry in entries if entry.type == "audit.opened"]
    assert all(entry.producer_seq == 0 for entry in opened)
    found = {entry.payload["pid"]: entry.producer for entry in opened}
    assert len(found) == len(opened)
    return found


def test_before_its_first_use_nothing_is_started(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.audit.tell(Counted(who="parent", number=0), "committed")
        parents, files = system.health(), owners(path)

        def work() -> None:
            health = system.health()
            assert (health.status, health.backlog, health.committed) == ("ok", 0, 0)
            assert health.producer == system.producer != parents.producer
            assert threading.active_count() == 1
            assert owners(path) == files

        assert exit_code(fork(work)) == 0
        assert system.producer == parents.producer


def test_what_the_host_holds_on_to_goes_on(tmp_path: Path) -> None:
    """Methods and services that it had got before the fork, in the child and its child."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        tell, create, plans = system.audit.tell, system.sessions.create, system.plans

        def use(who: str) -> None:
            tell(Counted(who=who, number=0))
            create(actor_name=who).get(timeout=WAIT_S)
            assert plans.list().get(timeout=WAIT_S) == ()
            with pytest.raises(Exception, match="no plan"):
                plans.cancel("none", reason="a test").get(timeout=WAIT_S)

        def grandchild() -> None:
            use("grandchild")
            system.close()

        def child() -> None:
            use("child")
            assert exit_code(fork(grandchild)) == 0
            use("child again")
            system.close()

        use("parent")
        assert exit_code(fork(child)) == 0
        use("parent again")
    entries = entries_of(path)
    check_trail(entries)
    created = [e.payload["actor_name"] for e in entries if e.type == "session.created"]
    told = ["parent", "child", "grandchild", "child again", "parent again"]
    assert created == told
    assert [who for who, _ in counted(entries)] == told
    assert len(producers_by_pid(entries)) == 3


def test_a_child_closed_without_use_refuses_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        files = owners(path)

        def work() -> None:
            system.close()
            system.close()
            assert system.health().status == "closed"
            uses: list[Callable[[], object]] = [
                lambda: system.audit.tell(Counted(who="child", number=0)),
                lambda: system.audit.ask(Counted(who="child", number=0)),
                lambda: system.sessions.create(actor_name="child"),
                system.flush,
            ]
            for use in uses:
                with pytest.raises(AuditClosed, match="closed"):
                    use()
            assert system.health().status == "closed"
            assert owners(path) == files

        assert exit_code(fork(work)) == 0
        system.audit.tell(Counted(who="parent", number=0))
    assert counted(entries_of(path)) == [("parent", 0)]


def test_a_child_closed_after_use_starts_nothing_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:

        def work() -> None:
            system.audit.tell(Counted(who="child", number=0))
            system.close()
            with pytest.raises(AuditClosed, match="closed"):
                system.audit.tell(Counted(who="child", number=1))
            with pytest.raises(AuditClosed, match="closed"):
                system.sessions.create(actor_name="child")

        assert exit_code(fork(work)) == 0
    assert counted(entries_of(path)) == [("child", 0)]


def test_threads_that_use_it_first_at_once_start_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:

        def work() -> None:
            begin = threading.Barrier(8)
            done = []

            def use(number: int) -> None:
                begin.wait(WAIT_S)
                if number % 2:
                    system.sessions.create(actor_name="child").get(timeout=WAIT_S)
                system.audit.tell(Counted(who="child", number=number))
                done.append(number)

            threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WAIT_S)
            assert sorted(done) == list(range(8))
            system.close()

        children = [fork(work) for _ in range(3)]
        assert [exit_code(child) for child in children] == [0, 0, 0]
    entries = entries_of(path)
    check_trail(entries)
    assert len(producers_by_pid(entries)) == 4
    assert sorted(counted(entries)) == sorted([("child", number) for number in range(8)] * 3)
    assert [entry.type for entry in entries].count("session.created") == 12


def test_forks_of_an_unused_child_are_producers_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:

        def use() -> None:
            system.audit.tell(Counted(who=str(os.getpid()), number=0))
            system.close()

        def work() -> None:
            children = [fork(use) for _ in range(2)]
            assert [exit_code(child) for child in children] == [0, 0]
            use()

        assert exit_code(fork(work)) == 0
    entries = entries_of(path)
    check_trail(entries)
    producers = producers_by_pid(entries)
    assert len(set(producers.values())) == len(producers) == 4
    for entry in entries:
        if entry.type == Counted.type:
            assert entry.producer == producers[int(entry.payload["who"])]


def test_a_ledger_that_is_gone_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    """And no new one is begun in its place."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)
        files = owners(path)

        def work() -> None:
            path.rename(tmp_path / "away.db")
            try:
                for _ in range(3):
                    with pytest.raises(LedgerError, match="put it back"):
                        system.audit.tell(Counted(who="child", number=0))
                with pytest.raises(LedgerError, match="put it back"):
                    system.sessions.create(actor_name="child")
                assert system.health().status == "degraded"
                assert (path.exists(), owners(path)) == (False, files)
            finally:
                (tmp_path / "away.db").rename(path)
            system.audit.tell(Counted(who="child", number=1), "committed")
            assert system.health().status == "ok"
            system.close()

        assert exit_code(fork(work)) == 0
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("child", 1)]


def test_a_journal_that_cannot_be_made_is_an_error_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    journals, away = beside(path, ".journal.d"), tmp_path / "away"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)

        def work() -> None:
            files = open_files()
            journals.rename(away)
            journals.write_text("in the way")
            try:
                for _ in range(3):
                    with pytest.raises(JournalError, match="move it away"):
                        system.audit.tell(Counted(who="child", number=0))
                # One more, for the ledger's lock file.
                assert open_files() <= files + 1
                assert threading.active_count() == 1
            finally:
                journals.unlink()
                away.rename(journals)
            system.audit.tell(Counted(who="child", number=1))
            system.close()

        assert exit_code(fork(work)) == 0
    assert counted(entries_of(path)) == [("child", 1)]


def test_services_that_cannot_start_do_not_keep_the_trail_from_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    database, away = beside(path, ".app.db"), tmp_path / "away"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)

        def work() -> None:
            database.rename(away)
            database.mkdir()
            try:
                with pytest.raises(AppDatabaseError):
                    system.sessions.create(actor_name="child")
                system.audit.tell(Counted(who="child", number=0), "committed")
            finally:
                database.rmdir()
                away.rename(database)
            system.sessions.create(actor_name="child").get(timeout=WAIT_S)
            system.close()

        assert exit_code(fork(work)) == 0
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("child", 0)]
    assert [entry.type for entry in entries].count("session.created") == 1


def test_a_child_has_a_writers_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, writer="process") as system:
        system.audit.tell(Counted(who="parent", number=0), "committed")

        def work() -> None:
            system.audit.tell(Counted(who="child", number=0), "committed")
            system.audit.tell(Counted(who="child", number=1), "buffered")
            system.close()

        assert exit_code(fork(work)) == 0
        system.audit.tell(Counted(who="parent", number=1), "committed")
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("parent", 0), ("child", 0), ("child", 1), ("parent", 1)]
    assert len(producers_by_pid(entries)) == 2


def test_what_the_parent_was_asked_is_not_waited_for_in_the_child(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)
        with system._ledger._turns:  # type: ignore[attr-defined]  # nothing is committed
            reply = system.audit.ask(Counted(who="parent", number=0))

            def work() -> None:
                with pytest.raises(AuditClosed, match="ask again"):
                    reply.get()

            assert exit_code(fork(work)) == 0
        assert reply.get(timeout=WAIT_S).log_index > 0


@pytest.mark.parametrize("used", [False, True])
def test_a_signal_that_closes_closes_in_the_child_too(tmp_path: Path, used: bool) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system, close_on_signals(system):

        def work() -> None:
            if used:
                system.audit.tell(Counted(who="child", number=0))
            os.kill(os.getpid(), signal.SIGTERM)

        assert exit_code(fork(work)) == -signal.SIGTERM
        system.audit.tell(Counted(who="parent", number=0))
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("child", 0)] * used + [("parent", 0)]
    assert [entry.type for entry in entries].count("audit.closed") == 1 + used
