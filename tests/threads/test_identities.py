"""Many threads, each with an identity of its own: none on another's event, order kept."""

import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain.context import bind
from minutebook.domain.entry import to_microseconds
from tests.contract.trail import WAIT_S, Counted, check_trail, entries_of

THREADS = 16
TELLS = 5000
CALLS = 100


def in_threads(work: Callable[[str], None]) -> None:
    """Run the work in each thread, begun together, with the thread's own identity bound."""
    begin = threading.Barrier(THREADS)
    failed: list[BaseException] = []

    def run(who: str) -> None:
        with bind(identity=who, session_id=f"session of {who}", correlation_id=f"req of {who}"):
            begin.wait(WAIT_S)
            try:
                work(who)
            except BaseException as error:  # noqa: BLE001 - the main thread fails with it
                failed.append(error)

    threads = [threading.Thread(target=run, args=(f"user-{n}",)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert failed == []


@pytest.mark.timeout(300)
def test_direct_tells_of_many_threads(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    occurred: dict[str, int] = {}  # by event id; each is set by one thread
    with AuditSystem.open(path) as system:

        def tell(who: str) -> None:
            for number in range(TELLS):
                event = Counted(who=who, number=number)
                occurred[event.id] = to_microseconds(event.occurred_at)
                system.audit.tell(event)

        in_threads(tell)

    entries = entries_of(path)
    check_trail(entries)
    numbers: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.type != Counted.type:
            continue
        payload = entry.payload
        who = payload["who"]
        numbers[who].append(payload["number"])
        assert entry.user_identity == who
        assert entry.session_id == f"session of {who}"
        assert entry.correlation_id == f"req of {who}"
        assert entry.occurred_at == occurred.pop(entry.id)
    assert occurred == {}
    assert numbers == {f"user-{n}": list(range(TELLS)) for n in range(THREADS)}


def test_service_calls_of_many_threads(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    made: dict[str, tuple[str, int]] = {}
    with AuditSystem.open(path) as system:

        def create(who: str) -> None:
            futures = [
                system.sessions.create(actor_name=f"{who}/{number}") for number in range(CALLS)
            ]
            for number, future in enumerate(futures):
                session = future.get(timeout=WAIT_S)
                assert session.user_identity == who
                assert session.actor_name == f"{who}/{number}"
                made[session.session_id] = (who, to_microseconds(session.created_at))

        in_threads(create)
        assert len(system.sessions.list().get(timeout=WAIT_S)) == THREADS * CALLS

    entries = entries_of(path)
    check_trail(entries)
    names: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.type != "session.created":
            continue
        who, created_at = made.pop(entry.session_id or "")
        names[who].append(entry.payload["actor_name"])
        assert entry.user_identity == who
        assert entry.correlation_id == f"req of {who}"
        assert entry.source == "app/sessions"
        assert entry.occurred_at == created_at
    assert made == {}
    assert names == {
        f"user-{n}": [f"user-{n}/{number}" for number in range(CALLS)] for n in range(THREADS)
    }
