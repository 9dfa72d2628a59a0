"""The host's own actors and ours share a process, and nothing else."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from pykka import ActorRegistry, ThreadingActor

from minutebook.actors import AuditSystem
from minutebook.domain.context import bind
from tests.contract.trail import WAIT_S, Counted, check_trail, counted, entries_of


class HostActor(ThreadingActor):
    """An actor of the host's, that can come to a bad end."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        if message == "exit":
            raise SystemExit
        return message


def works(system: AuditSystem, who: str) -> None:
    system.audit.ask(Counted(who=who, number=0)).get(timeout=WAIT_S)
    with bind(identity=who):
        assert system.sessions.create(actor_name=who).get(timeout=WAIT_S).user_identity == who
    assert system.health().status == "ok"


def test_nothing_of_ours_is_in_the_registry(tmp_path: Path) -> None:
    with AuditSystem.open(tmp_path / "audit.db") as system:
        works(system, "x")
        assert ActorRegistry.get_all() == []


def test_stopping_all_of_the_hosts_actors_leaves_ours_alone(tmp_path: Path) -> None:
    with AuditSystem.open(tmp_path / "audit.db") as system:
        host = HostActor.start()
        assert ActorRegistry.stop_all(timeout=WAIT_S) == [True]
        assert not host.is_alive()
        works(system, "x")
    check_trail(entries_of(tmp_path / "audit.db"))


def test_an_exit_in_a_host_actor_leaves_ours_alone(tmp_path: Path) -> None:
    # Pykka answers a BaseException in any actor by stopping all that are registered.
    with AuditSystem.open(tmp_path / "audit.db") as system:
        host, bystander = HostActor.start(), HostActor.start()
        host.tell("exit")
        for ref in (host, bystander):
            ref.actor_stopped.wait(WAIT_S)
            assert not ref.is_alive()
        works(system, "x")
    check_trail(entries_of(tmp_path / "audit.db"))


def test_closing_leaves_the_hosts_actors_alone(tmp_path: Path) -> None:
    host = HostActor.start()
    with AuditSystem.open(tmp_path / "audit.db"):
        pass
    assert host.ask("hello", timeout=WAIT_S) == "hello"
    host.stop(timeout=WAIT_S)


def test_two_systems_on_two_ledgers(tmp_path: Path) -> None:
    paths = [tmp_path / "one.db", tmp_path / "two.db"]
    with contextlib.ExitStack() as stack:
        one, two = (stack.enter_context(AuditSystem.open(path)) for path in paths)
        works(one, "one")
        works(two, "two")
        one.close()
        works(two, "two")
    for path, who, calls in zip(paths, ("one", "two"), (1, 2), strict=True):
        entries = entries_of(path)
        check_trail(entries)
        assert {name for name, _ in counted(entries)} == {who}
        assert len(counted(entries)) == calls
        assert len({entry.producer for entry in entries}) == 1


def test_two_systems_on_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as one, AuditSystem.open(path) as two:
        for number in range(500):
            one.audit.tell(Counted(who="one", number=number))
            two.audit.tell(Counted(who="two", number=number))
        works(one, "one session")
        works(two, "two session")
        assert len(one.sessions.list().get(timeout=WAIT_S)) == 2
        one.close()
        works(two, "two alone")
    entries = entries_of(path)
    check_trail(entries)
    for who, system in (("one", one), ("two", two)):
        assert [number for name, number in counted(entries) if name == who] == list(range(500))
        own = [entry for entry in entries if entry.producer == system.producer]
        assert [own[0].type, own[-1].type] == ["audit.opened", "audit.closed"]
        assert own[-1].payload["events_told"] == len(own)


def test_a_system_that_cannot_start_leaves_no_thread_and_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.db"
    (tmp_path / "audit.db.app.db").write_text("no database at all, but text\n" * 100)
    with pytest.raises(Exception, match=r"app\.db"):
        AuditSystem.open(path)
    (tmp_path / "audit.db.app.db").unlink()
    with AuditSystem.open(path) as system:
        works(system, "x")
    entries = entries_of(path)
    check_trail(entries)
    assert [entry.type for entry in entries[:3]] == ["audit.opened", "audit.closed", "audit.opened"]
