"""API tokens: made, listed without their secrets, expired and revoked."""

from __future__ import annotations

import pytest

from minutebook.actors.lockout import LockoutRules
from minutebook.actors.session import UNLIMITED
from minutebook.domain.context import bind
from minutebook.domain.errors import (
    AuthenticationFailed,
    PermissionDenied,
    SessionAlreadyClosed,
    SessionExpired,
    UnknownToken,
)
from tests.actors.clock import Clock, quick
from tests.actors.stage import WAIT_S, Stage

PASSWORD = "correct horse battery"


def test_a_token_ends_by_time_or_by_hand_and_its_sessions_with_it(stage: Stage) -> None:
    clock = Clock()
    auth = stage.auth(LockoutRules(), quick(), clock)
    sessions = stage.sessions(UNLIMITED, clock)
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    with bind(identity="root"):
        brief = auth.create_token(
            "alice", label="brief", expires_in=60, scopes=["read", "caf\udce9"]
        ).get(timeout=WAIT_S)
        lasting = auth.create_token("alice", label="lasting").get(timeout=WAIT_S)
    created, _ = stage.entries("token.created")
    assert created.payload == {
        "token_id": brief.token_id,
        "user_name": "alice",
        "label": "brief",
        "scopes": ["read", "caf\udce9"],
        "expires_at": brief.model_dump(mode="json")["expires_at"],
    }
    assert created.user_identity == "root"
    clock.move(59)
    by_brief = auth.authenticate_token(brief.secret).get(timeout=WAIT_S)
    by_lasting = auth.authenticate_token(lasting.secret).get(timeout=WAIT_S)
    assert (by_brief.scopes, by_brief.token_id) == (("read", "caf\udce9"), brief.token_id)
    first = sessions.create(actor_name="a", principal=by_brief).get(timeout=WAIT_S)
    second = sessions.create(actor_name="b", principal=by_lasting).get(timeout=WAIT_S)
    listed = auth.list_tokens("alice").get(timeout=WAIT_S)
    assert [(t.label, t.last_used_at, t.scopes) for t in listed] == [
        ("brief", clock.now, ("read", "caf\udce9")),
        ("lasting", clock.now, ()),
    ]
    assert not hasattr(listed[0], "secret")
    assert auth.list_tokens("bob").get(timeout=WAIT_S) == ()

    clock.move(1)
    with pytest.raises(SessionExpired):
        sessions.require(first.session_id).get(timeout=WAIT_S)
    with bind(identity="root"):
        revoked = auth.revoke_token(lasting.token_id).get(timeout=WAIT_S)
        assert auth.revoke_token(lasting.token_id).get(timeout=WAIT_S) == revoked
    with pytest.raises(SessionAlreadyClosed):
        sessions.require(second.session_id).get(timeout=WAIT_S)
    for secret in (brief.secret, lasting.secret, "mbk_unknown"):
        with pytest.raises(AuthenticationFailed, match=r"^the token was not accepted; "):
            auth.authenticate_token(secret).get(timeout=WAIT_S)
    for principal in (by_brief, by_lasting):
        with pytest.raises(PermissionDenied, match="the token was revoked, or has expired"):
            sessions.create(actor_name="c", principal=principal).get(timeout=WAIT_S)
    refused = [(e.payload["principal"], e.payload["reason"]) for e in stage.entries("auth.failed")]
    assert refused == [("alice", "expired"), ("alice", "revoked"), ("unknown", "bad_credential")]
    told = stage.only("token.revoked")
    assert told.payload == {
        "token_id": lasting.token_id,
        "user_name": "alice",
        "label": "lasting",
    }
    expired, ended = stage.entries("session.closed")
    assert (expired.payload["reason"], ended.payload["reason"]) == ("expired", "token_revoked")
    assert (ended.causation_id, ended.session_id) == (told.id, second.session_id)
    with pytest.raises(UnknownToken, match=r"no token has the id 'nope'; list_tokens\(\)"):
        auth.revoke_token("nope").get(timeout=WAIT_S)
