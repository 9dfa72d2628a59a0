"""Sessions end by themselves: by age, or unused; once, whoever notices."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from minutebook.actors.base import CatchUp
from minutebook.actors.reply import Reply
from minutebook.actors.session import UNLIMITED, SessionLimits
from minutebook.actors.session_service import Sessions
from minutebook.domain.context import bind
from minutebook.domain.errors import (
    PermissionDenied,
    SessionAlreadyClosed,
    SessionExpired,
    UnknownSession,
)
from minutebook.domain.state import Principal
from tests.actors.clock import Clock
from tests.actors.stage import WAIT_S, Stage


def closed(stage: Stage) -> list[tuple[str | None, str, float]]:
    return [
        (entry.session_id, entry.payload["reason"], entry.payload["duration_s"])
        for entry in stage.entries("session.closed")
    ]


def look(sessions: Sessions) -> None:
    """What every system does every few seconds."""
    reply: Reply[None] = Reply()
    sessions._inbox.deliver(CatchUp(reply))
    reply.get(timeout=WAIT_S)


def test_a_session_ends_at_its_time_however_it_is_used(stage: Stage) -> None:
    clock = Clock()
    sessions = stage.sessions(UNLIMITED, clock)
    session = sessions.create(actor_name="a", expires_in=60).get(timeout=WAIT_S)
    assert session.expires_at == clock.now + timedelta(seconds=60)
    entry = stage.only("session.created")
    assert entry.payload["expires_at"] == session.model_dump(mode="json")["expires_at"]
    clock.move(59)
    assert sessions.touch(session.session_id).get(timeout=WAIT_S).used_at == clock.now
    sessions.require(session.session_id).get(timeout=WAIT_S)
    assert stage.types() == ["session.created"]
    clock.move(100)
    for _ in range(2):
        for ask in (sessions.require, sessions.touch, sessions.get, sessions.close):
            with pytest.raises(SessionExpired, match=r"ended at .* UTC, for its time was over;"):
                ask(session.session_id).get(timeout=WAIT_S)
    # It ended when its time was over, not when somebody came.
    assert closed(stage) == [(session.session_id, "expired", 60.0)]
    assert stage.only("session.closed").occurred_time == session.expires_at
    (listed,) = sessions.list(open_only=False).get(timeout=WAIT_S)
    assert (listed.closed_at, listed.close_reason) == (session.expires_at, "expired")
    sessions.delete(session.session_id).get(timeout=WAIT_S)
    with pytest.raises(UnknownSession):
        sessions.require(session.session_id).get(timeout=WAIT_S)


def test_a_session_ends_that_is_not_used_and_a_use_puts_it_off(stage: Stage) -> None:
    clock = Clock()
    sessions = stage.sessions(UNLIMITED, clock)
    session = sessions.create(actor_name="a", idle_limit=10).get(timeout=WAIT_S)
    for _ in range(3):
        clock.move(9.5)
        sessions.touch(session.session_id).get(timeout=WAIT_S)
    clock.move(10)
    with pytest.raises(SessionExpired, match=r"for it was idle for too long; create a new one\.$"):
        sessions.touch(session.session_id).get(timeout=WAIT_S)
    assert closed(stage) == [(session.session_id, "idle", 38.5)]


def test_the_settings_bound_what_each_session_asks_for(stage: Stage) -> None:
    clock = Clock()
    sessions = stage.sessions(SessionLimits(100.0, 10.0), clock)
    for given, expected in ((None, 100), (50, 50), (500, 100)):
        session = sessions.create(actor_name="a", expires_in=given, idle_limit=given).get(
            timeout=WAIT_S
        )
        assert session.expires_at == clock.now + timedelta(seconds=expected)
        assert session.idle_limit_s == 10.0


def test_a_look_and_a_list_close_what_is_overdue_and_nothing_else(stage: Stage) -> None:
    clock = Clock()
    sessions = stage.sessions(UNLIMITED, clock)
    with bind(identity="alice"):
        ids = [
            sessions.create(actor_name="a", expires_in=given).get(timeout=WAIT_S).session_id
            for given in (10, 20, None)
        ]
    clock.move(10)
    look(sessions)
    look(sessions)
    assert closed(stage) == [(ids[0], "expired", 10.0)]
    # Nobody did it, and it is nobody's.
    entry = stage.only("session.closed")
    assert (entry.user_identity, entry.source) == (None, "shop/sessions")
    clock.move(10)
    assert [s.session_id for s in sessions.list().get(timeout=WAIT_S)] == [ids[2]]
    assert closed(stage) == [(ids[0], "expired", 10.0), (ids[1], "expired", 20.0)]
    sessions.close(ids[2]).get(timeout=WAIT_S)
    with pytest.raises(SessionAlreadyClosed) as raised:
        sessions.require(ids[2]).get(timeout=WAIT_S)
    assert not isinstance(raised.value, SessionExpired)


def test_many_overdue_sessions_are_closed_once_each_by_many_who_look(stage: Stage) -> None:
    clock = Clock()
    several = [stage.sessions(UNLIMITED, clock) for _ in range(3)]
    ids = {
        several[0].create(actor_name="a", expires_in=1).get(timeout=WAIT_S).session_id
        for _ in range(250)
    }
    clock.move(1)
    threads = [threading.Thread(target=look, args=(sessions,)) for sessions in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    told = [session_id for session_id, _, _ in closed(stage)]
    assert len(told) == 250
    assert set(told) == ids


def test_a_session_needs_its_principal_to_be_a_user(stage: Stage) -> None:
    sessions = stage.sessions()
    principal = Principal(name="nobody", method="password")
    with pytest.raises(PermissionDenied, match=r"there is no user 'nobody'.*authenticate again"):
        sessions.create(actor_name="a", principal=principal).get(timeout=WAIT_S)
    assert stage.only("access.denied").payload == {
        "user_name": "nobody",
        "needs": "account",
        "wanted": "nobody",
    }
    assert sessions.list(open_only=False).get(timeout=WAIT_S) == ()
