"""Sessions end without anybody asking, once, whichever system looks; also while none is open."""

from __future__ import annotations

import time
from pathlib import Path

from minutebook.actors import AuditSystem
from minutebook.domain import bind
from tests.contract.trail import WAIT_S, check_trail, entries_of


def test_overdue_sessions_are_closed_once_by_systems_that_look(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    ids: list[str] = []

    def create(system: AuditSystem) -> None:
        with bind(identity="alice"):
            session = system.sessions.create(actor_name="a", expires_in=0.001).get(timeout=WAIT_S)
        assert session.expires_at is not None
        while time.time() <= session.expires_at.timestamp():
            time.sleep(0.001)
        ids.append(session.session_id)

    with AuditSystem.open(path) as first, AuditSystem.open(path) as second:
        for _ in range(3):
            create(first)
            # What each does every few seconds.
            for system in (first, second):
                assert system._services is not None
                system._services.catch_up()
            for system in (first, second):
                assert system._services is not None
                system._services.wait_caught_up()
        create(second)
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    closed = [entry for entry in entries if entry.type == "session.closed"]
    assert sorted(str(entry.session_id) for entry in closed) == sorted(ids)
    assert {(entry.payload["reason"], entry.user_identity) for entry in closed} == {
        ("expired", None)
    }
