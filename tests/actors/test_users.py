"""Users, roles and delegations: what is changed is told, and ends the sessions that it must."""

from __future__ import annotations

from typing import Any

import pytest

from minutebook.actors.lockout import LockoutRules
from minutebook.domain.context import bind
from minutebook.domain.errors import (
    AuthenticationFailed,
    InvalidCommand,
    PermissionDenied,
    SessionAlreadyClosed,
    UnknownDelegation,
    UnknownUser,
)
from minutebook.domain.state import Principal
from tests.actors.clock import Clock, quick
from tests.actors.stage import WAIT_S, Stage

PASSWORD = "correct horse battery"
RULES = LockoutRules()


def changes(stage: Stage) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in entry.payload.items() if value is not None}
        for entry in stage.entries("user.changed")
    ]


def test_roles_are_granted_revoked_and_required(stage: Stage) -> None:
    auth = stage.auth(RULES, quick())
    with bind(identity="root"):
        user = auth.create_user("alice", PASSWORD, roles=["editor", "admin"]).get(timeout=WAIT_S)
        assert user.roles == ("admin", "editor")
        auth.grant_role("alice", "caf\udce9").get(timeout=WAIT_S)
        auth.grant_role("alice", "admin").get(timeout=WAIT_S)
        auth.revoke_role("alice", "editor").get(timeout=WAIT_S)
        auth.revoke_role("alice", "editor").get(timeout=WAIT_S)
    user = auth.get_user("alice").get(timeout=WAIT_S)
    assert user.roles == ("admin", "caf\udce9")
    assert auth.list_users().get(timeout=WAIT_S) == (user,)
    created = stage.only("user.created")
    assert created.payload == {"user_name": "alice", "roles": ["admin", "editor"]}
    assert created.user_identity == "root"
    # What was so before changes nothing, and is not told.
    assert changes(stage) == [
        {"user_name": "alice", "change": "role_granted", "role": "caf\udce9"},
        {"user_name": "alice", "change": "role_revoked", "role": "editor"},
    ]

    with bind(identity="alice"):
        assert auth.require_role("admin").get(timeout=WAIT_S) == user
        with pytest.raises(PermissionDenied, match=r"'alice' has no role 'owner'; ask an admin"):
            auth.require_role("owner").get(timeout=WAIT_S)
    with bind(identity="mallory"), pytest.raises(PermissionDenied):
        auth.require_role("admin").get(timeout=WAIT_S)
    with pytest.raises(PermissionDenied):
        auth.require_role("admin").get(timeout=WAIT_S)
    assert auth.require_role("admin", user="alice").get(timeout=WAIT_S) == user
    auth.disable_user("alice").get(timeout=WAIT_S)
    with pytest.raises(PermissionDenied):
        auth.require_role("admin", user="alice").get(timeout=WAIT_S)
    denied = [
        (entry.payload["user_name"], entry.payload["needs"], entry.payload["wanted"])
        for entry in stage.entries("access.denied")
    ]
    assert denied == [
        ("alice", "role", "owner"),
        ("mallory", "account", "mallory"),
        (None, "account", "None"),
        ("alice", "account", "alice"),
    ]
    assert {entry.outcome for entry in stage.entries("access.denied")} == {"denied"}


def test_whoever_is_not_there_cannot_be_changed(stage: Stage) -> None:
    auth = stage.auth(RULES, quick())
    for ask in (
        lambda: auth.get_user("nobody"),
        lambda: auth.disable_user("nobody"),
        lambda: auth.enable_user("nobody"),
        lambda: auth.grant_role("nobody", "r"),
        lambda: auth.revoke_role("nobody", "r"),
        lambda: auth.reset_password("nobody", PASSWORD),
        lambda: auth.unlock_user("nobody"),
        lambda: auth.allow_delegation("nobody", "nobody"),
    ):
        with pytest.raises(UnknownUser, match=r"no user is named 'nobody'; list_users\(\)"):
            ask().get(timeout=WAIT_S)
    with pytest.raises(UnknownDelegation, match=r"has not allowed 'b' anything; list_delegations"):
        auth.revoke_delegation("a", "b").get(timeout=WAIT_S)
    for wrong in (0.0, -1.0, float("nan"), float("inf"), 1e300):
        with pytest.raises(InvalidCommand, match="expires_in_s"):
            auth.create_token("nobody", label="l", expires_in=wrong)
    assert stage.types() == []


def test_a_disabled_user_is_not_let_in_by_anything(stage: Stage) -> None:
    auth = stage.auth(RULES, quick())
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    token = auth.create_token("alice", label="ci").get(timeout=WAIT_S)
    principal = auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    sessions = stage.sessions()
    session = sessions.create(actor_name="a", principal=principal).get(timeout=WAIT_S)
    auth.create_user("bob", PASSWORD).get(timeout=WAIT_S)
    with bind(identity="bob"):
        kept = sessions.create(actor_name="b").get(timeout=WAIT_S)
    auth.disable_user("bob", close_sessions=False).get(timeout=WAIT_S)
    for _ in range(2):
        assert auth.disable_user("alice").get(timeout=WAIT_S).disabled_at is not None
    with pytest.raises(AuthenticationFailed):
        auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.authenticate("alice", "wrong").get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.authenticate_token(token.secret).get(timeout=WAIT_S)
    assert sessions.list().get(timeout=WAIT_S) == (kept,)
    ended = stage.only("session.closed")
    assert (ended.session_id, ended.payload["reason"]) == (session.session_id, "user_disabled")
    # Nor with what was said before.
    with pytest.raises(PermissionDenied, match="no session was begun"):
        sessions.create(actor_name="a", principal=principal).get(timeout=WAIT_S)
    with bind(identity="alice"), pytest.raises(PermissionDenied):
        sessions.create(actor_name="a").get(timeout=WAIT_S)
    assert [e.payload["reason"] for e in stage.entries("auth.failed")] == [
        "disabled",
        "bad_credential",
        "disabled",
    ]
    assert [e.source for e in stage.entries("access.denied")] == ["shop/sessions"] * 2
    for _ in range(2):
        assert auth.enable_user("alice").get(timeout=WAIT_S).disabled_at is None
    assert auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S).name == "alice"
    assert [(change["user_name"], change["change"]) for change in changes(stage)] == [
        ("bob", "disabled"),
        ("alice", "disabled"),
        ("alice", "enabled"),
    ]


def test_a_password_is_changed_by_who_knows_it_and_reset_by_who_may(stage: Stage) -> None:
    auth = stage.auth(RULES, quick())
    sessions = stage.sessions()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    auth.create_user("bob", PASSWORD).get(timeout=WAIT_S)
    with bind(identity="alice"):
        one = sessions.create(actor_name="a").get(timeout=WAIT_S)
        kept = sessions.create(actor_name="b").get(timeout=WAIT_S)
        sessions.close(one.session_id).get(timeout=WAIT_S)
    with bind(identity="bob"):
        others = sessions.create(actor_name="c").get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.change_password("alice", "wrong", "the second one").get(timeout=WAIT_S)
    auth.change_password("alice", PASSWORD, "the second one", close_sessions=False).get(
        timeout=WAIT_S
    )
    assert sessions.require(kept.session_id).get(timeout=WAIT_S) == kept
    with bind(identity="alice"):
        auth.change_password("alice", "the second one", "the third one").get(timeout=WAIT_S)
    with pytest.raises(SessionAlreadyClosed):
        sessions.require(kept.session_id).get(timeout=WAIT_S)
    assert sessions.list().get(timeout=WAIT_S) == (others,)
    with bind(identity="root"):
        auth.reset_password("alice", "the fourth one").get(timeout=WAIT_S)
    assert auth.authenticate("alice", "the fourth one").get(timeout=WAIT_S).name == "alice"
    for old in (PASSWORD, "the second one", "the third one"):
        with pytest.raises(AuthenticationFailed):
            auth.authenticate("alice", old).get(timeout=WAIT_S)
    assert changes(stage) == [
        {"user_name": "alice", "change": "password_changed"},
        {"user_name": "alice", "change": "password_changed"},
        {"user_name": "alice", "change": "password_reset"},
    ]
    by_hand, ended = stage.entries("session.closed")
    cause = stage.entries("user.changed")[1]
    assert (by_hand.payload["reason"], by_hand.causation_id) == ("closed", None)
    assert (ended.session_id, ended.payload["reason"]) == (kept.session_id, "password_changed")
    assert (ended.causation_id, ended.user_identity, ended.source) == (
        cause.id,
        "alice",
        "shop/auth",
    )


def test_an_agent_acts_for_whom_it_is_allowed_to(stage: Stage) -> None:
    """Both are in what is told; without leave it is refused, and that is told, too."""
    clock = Clock()
    auth = stage.auth(RULES, quick(), clock)
    sessions = stage.sessions()
    auth.create_user("alice", PASSWORD, roles=["editor"]).get(timeout=WAIT_S)
    auth.create_user("bot", PASSWORD).get(timeout=WAIT_S)
    token = auth.create_token("bot", label="agent").get(timeout=WAIT_S)
    for person in ("alice", "nobody"):
        with pytest.raises(PermissionDenied, match=f"'{person}' does not let this token's user"):
            auth.authenticate_token(token.secret, on_behalf_of=person).get(timeout=WAIT_S)
    assert auth.list_tokens("bot").get(timeout=WAIT_S)[0].last_used_at is None
    with bind(identity="alice"):
        given = auth.allow_delegation("alice", "bot", expires_in=60).get(timeout=WAIT_S)
    assert auth.list_delegations("alice").get(timeout=WAIT_S) == (given,)
    assert auth.list_delegations("bot").get(timeout=WAIT_S) == ()
    principal = auth.authenticate_token(token.secret, on_behalf_of="alice").get(timeout=WAIT_S)
    assert (principal.name, principal.on_behalf_of) == ("bot", "alice")
    with pytest.raises(PermissionDenied):
        auth.authenticate_token(
            auth.create_token("alice", label="hers").get(timeout=WAIT_S).secret, on_behalf_of="bot"
        ).get(timeout=WAIT_S)

    def required() -> str:
        with bind(identity=principal.name, on_behalf_of=principal.on_behalf_of):
            return auth.require_role("editor").get(timeout=WAIT_S).name

    assert required() == "alice"
    session = sessions.create(actor_name="a", principal=principal).get(timeout=WAIT_S)
    assert (session.user_identity, session.on_behalf_of) == ("bot", "alice")
    assert session.expires_at == given.expires_at
    created = stage.only("session.created")
    succeeded = stage.only("auth.succeeded")
    assert {(e.user_identity, e.on_behalf_of) for e in (created, succeeded)} == {("bot", "alice")}

    # When it has expired, and when it is revoked, all that rests on it ends.
    clock.move(60)
    with pytest.raises(PermissionDenied):
        required()
    auth.allow_delegation("alice", "bot").get(timeout=WAIT_S)
    assert required() == "alice"
    again = sessions.create(actor_name="b", principal=principal).get(timeout=WAIT_S)
    auth.revoke_delegation("alice", "bot").get(timeout=WAIT_S)
    for refused in (
        required,
        lambda: sessions.create(actor_name="a", principal=principal).get(timeout=WAIT_S),
    ):
        with pytest.raises(PermissionDenied, match="'alice' does not let 'bot' act for them"):
            refused()
    with (
        bind(identity="bot", on_behalf_of="alice"),
        pytest.raises(PermissionDenied, match="'alice' does not let 'bot' act for them"),
    ):
        sessions.create(actor_name="a").get(timeout=WAIT_S)
    closed = [
        (entry.session_id, entry.payload["reason"]) for entry in stage.entries("session.closed")
    ]
    assert closed == [
        (session.session_id, "expired"),
        (again.session_id, "delegation_revoked"),
    ]
    auth.allow_delegation("alice", "bot").get(timeout=WAIT_S)
    auth.disable_user("bot").get(timeout=WAIT_S)
    with pytest.raises(PermissionDenied):
        required()
    auth.enable_user("bot").get(timeout=WAIT_S)
    auth.disable_user("alice").get(timeout=WAIT_S)
    with pytest.raises(PermissionDenied):
        auth.authenticate_token(token.secret, on_behalf_of="alice").get(timeout=WAIT_S)
    assert {entry.payload["needs"] for entry in stage.entries("access.denied")} == {"delegation"}
    told = [(change["change"], change.get("agent")) for change in changes(stage)]
    assert told == [
        ("delegation_allowed", "bot"),
        ("delegation_allowed", "bot"),
        ("delegation_revoked", "bot"),
        ("delegation_allowed", "bot"),
        ("disabled", None),
        ("enabled", None),
        ("disabled", None),
    ]


def test_all_that_goes_with_a_deleted_user_is_named(stage: Stage) -> None:
    auth = stage.auth(RULES, quick())
    sessions = stage.sessions()
    for name in ("alice", "bot", "eve"):
        auth.create_user(name, PASSWORD, roles="r").get(timeout=WAIT_S)
    auth.create_token("alice", label="ci").get(timeout=WAIT_S)
    gone = auth.create_token("alice", label="gone").get(timeout=WAIT_S)
    auth.revoke_token(gone.token_id).get(timeout=WAIT_S)
    auth.allow_delegation("alice", "bot").get(timeout=WAIT_S)
    auth.allow_delegation("eve", "alice").get(timeout=WAIT_S)
    own = Principal(name="alice", method="password")
    agents = Principal(name="bot", method="token", on_behalf_of="alice")
    made = [
        sessions.create(actor_name="a", principal=who).get(timeout=WAIT_S) for who in (own, agents)
    ]
    with bind(identity="root"):
        auth.delete_user("alice").get(timeout=WAIT_S)
    deleted = stage.only("entity.deleted")
    assert deleted.payload["removed"] == [
        "API token 'ci'",
        "role 'r'",
        "delegation to 'bot'",
        "delegation from 'eve'",
        *(f"open session {session.session_id}" for session in made),
    ]
    closed = stage.entries("session.closed")
    assert [(e.session_id, e.payload["reason"], e.causation_id) for e in closed] == [
        (session.session_id, "user_deleted", deleted.id) for session in made
    ]
    # Nothing of it comes back with the name.
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    assert auth.get_user("alice").get(timeout=WAIT_S).roles == ()
    assert auth.list_delegations().get(timeout=WAIT_S) == ()
    assert auth.list_tokens().get(timeout=WAIT_S) == ()
