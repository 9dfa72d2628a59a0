"""SessionActor: sessions are kept, and each step of them is told."""

from __future__ import annotations

import pytest

from minutebook.domain.context import bind
from minutebook.domain.errors import (
    InvalidCommand,
    SessionAlreadyClosed,
    SessionStillOpen,
    UnknownSession,
)
from tests.actors.stage import WAIT_S, Stage


def test_a_session_is_created_for_whoever_is_bound_and_told(stage: Stage) -> None:
    sessions = stage.sessions()
    with bind(identity="alice", on_behalf_of="bob", session_id="outer", correlation_id="req-1"):
        session = sessions.create(actor_name="local/reviewer", client="cli").get(timeout=WAIT_S)

    assert (session.actor_name, session.user_identity) == ("local/reviewer", "alice")
    assert (session.client, session.closed_at, session.close_reason) == ("cli", None, None)
    entry = stage.only("session.created")
    assert entry.payload == {
        "actor_name": "local/reviewer",
        "client": "cli",
        "expires_at": None,
        "idle_limit_s": None,
    }
    assert (entry.user_identity, entry.on_behalf_of) == ("alice", "bob")
    assert (entry.session_id, entry.correlation_id) == (session.session_id, "req-1")
    assert (entry.source, entry.outcome) == ("shop/sessions", "success")
    assert entry.occurred_time == session.created_at


def test_a_session_is_closed_once_and_told_with_reason_and_duration(stage: Stage) -> None:
    sessions = stage.sessions()
    session = sessions.create(actor_name="a").get(timeout=WAIT_S)
    with bind(identity="carol"):
        closed = sessions.close(session.session_id, reason="signed out").get(timeout=WAIT_S)
    with pytest.raises(SessionAlreadyClosed, match=r"was closed at .* UTC; create a new one\.$"):
        sessions.close(session.session_id).get(timeout=WAIT_S)

    entry = stage.only("session.closed")
    assert closed.closed_at is not None
    assert entry.payload == {
        "actor_name": "a",
        "reason": "signed out",
        "duration_s": (closed.closed_at - session.created_at).total_seconds(),
    }
    assert (entry.session_id, entry.user_identity) == (session.session_id, "carol")
    assert entry.occurred_time == closed.closed_at
    assert sessions.get(session.session_id).get(timeout=WAIT_S) == closed


def test_sessions_are_listed_oldest_first(stage: Stage) -> None:
    sessions = stage.sessions()
    made = [sessions.create(actor_name=f"a{n}").get(timeout=WAIT_S) for n in range(4)]
    sessions.close(made[1].session_id).get(timeout=WAIT_S)

    is_open = [session.actor_name for session in sessions.list().get(timeout=WAIT_S)]
    every = [s.actor_name for s in sessions.list(open_only=False).get(timeout=WAIT_S)]
    assert is_open == ["a0", "a2", "a3"]
    assert every == ["a0", "a1", "a2", "a3"]


def test_only_a_closed_session_is_deleted_and_the_trail_keeps_it(stage: Stage) -> None:
    sessions = stage.sessions()
    session = sessions.create(actor_name="a").get(timeout=WAIT_S)
    with pytest.raises(SessionStillOpen, match=r"close it first\.$"):
        sessions.delete(session.session_id).get(timeout=WAIT_S)
    sessions.close(session.session_id).get(timeout=WAIT_S)
    with bind(identity="dora"):
        sessions.delete(session.session_id).get(timeout=WAIT_S)

    assert sessions.list(open_only=False).get(timeout=WAIT_S) == ()
    assert stage.types() == ["session.created", "session.closed", "entity.deleted"]
    entry = stage.only("entity.deleted")
    assert entry.payload == {
        "entity_type": "session",
        "entity_id": session.session_id,
        "removed": [],
    }
    assert (entry.user_identity, entry.session_id) == ("dora", session.session_id)


def test_an_unknown_id_is_refused_and_nothing_is_told(stage: Stage) -> None:
    sessions = stage.sessions()
    for ask in (sessions.get, sessions.close, sessions.delete):
        with pytest.raises(UnknownSession, match=r"no session has the id 'nope'; list\(\)"):
            ask("nope").get(timeout=WAIT_S)
    assert stage.types() == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 4097, None, 7])
def test_a_malformed_name_is_refused_at_the_call(stage: Stage, name: object) -> None:
    sessions = stage.sessions()
    with pytest.raises(InvalidCommand, match=r"CreateSession: actor_name: .* nothing was done\.$"):
        sessions.create(actor_name=name)  # type: ignore[arg-type]
    assert stage.types() == []


def test_sessions_survive_a_restart(stage: Stage) -> None:
    sessions = stage.sessions()
    with bind(identity="alice"):
        kept = sessions.create(actor_name="caf\udce9 \x10", client="c").get(timeout=WAIT_S)
        ended = sessions.create(actor_name="b").get(timeout=WAIT_S)
    ended = sessions.close(ended.session_id, reason="done").get(timeout=WAIT_S)
    stage.stop_services()

    again = stage.sessions()
    assert again.list(open_only=False).get(timeout=WAIT_S) == (kept, ended)
    assert again.close(kept.session_id).get(timeout=WAIT_S).closed_at is not None
    assert stage.entries("session.created")[0].payload["actor_name"] == "caf\udce9 \x10"
