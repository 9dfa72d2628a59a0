"""AuthActor: who somebody is, and a record of each attempt."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import argon2
import pytest
from pydantic import SecretStr

from minutebook.domain.context import bind
from minutebook.domain.errors import (
    AuthenticationFailed,
    InvalidCommand,
    UnknownUser,
    UserExists,
)
from tests.actors.stage import WAIT_S, Stage

PASSWORD = "correct horse battery"
REFUSED = "the password was not accepted; check the name and the password, and try again."


@contextmanager
def tables(stage: Stage) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(stage.directory / "app.db")) as connection:
        yield connection


def files_of(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_a_right_password_is_accepted_and_told(stage: Stage) -> None:
    auth = stage.auth()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    with bind(correlation_id="req-1"):
        found = auth.authenticate("alice", SecretStr(PASSWORD), source_address="10.0.0.7")
    principal = found.get(timeout=WAIT_S)

    assert (principal.name, principal.method) == ("alice", "password")
    entry = stage.only("auth.succeeded")
    assert entry.payload == {
        "method": "password",
        "principal": "alice",
        "source_address": "10.0.0.7",
        "attempts": 1,
    }
    assert (entry.user_identity, entry.correlation_id) == ("alice", "req-1")
    assert (entry.source, entry.outcome) == ("shop/auth", "success")


def test_failures_are_told_with_their_reason_which_the_caller_does_not_learn(stage: Stage) -> None:
    auth = stage.auth()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    said = []
    for name in ("alice", "nobody"):
        with pytest.raises(AuthenticationFailed) as raised:
            auth.authenticate(name, "wrong", source_address="::1").get(timeout=WAIT_S)
        said.append(str(raised.value))

    assert said == [REFUSED, REFUSED]
    bad, unknown = stage.entries("auth.failed")
    assert bad.payload == {
        "method": "password",
        "principal": "alice",
        "reason": "bad_credential",
        "source_address": "::1",
        "attempts": 1,
        "locked_until": None,
    }
    assert unknown.payload == {**bad.payload, "principal": "nobody", "reason": "unknown_user"}
    assert (bad.outcome, bad.outcome_reason, bad.severity) == (
        "failure",
        "bad_credential",
        "warning",
    )
    assert (bad.user_identity, unknown.user_identity) == ("alice", "nobody")
    assert stage.types() == ["user.created", "auth.failed", "auth.failed"]


def test_who_is_bound_stays_the_identity(stage: Stage) -> None:
    auth = stage.auth()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    with bind(identity="gateway"):
        auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    entry = stage.only("auth.succeeded")
    assert (entry.user_identity, entry.payload["principal"]) == ("gateway", "alice")


def test_attempts_are_counted_until_the_next_success_and_over_a_restart(stage: Stage) -> None:
    auth = stage.auth()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    auth.create_user("other", PASSWORD).get(timeout=WAIT_S)
    for password in ("wrong 1", "wrong 2"):
        with pytest.raises(AuthenticationFailed):
            auth.authenticate("alice", password).get(timeout=WAIT_S)
    stage.stop_services()
    auth = stage.auth()
    auth.authenticate("other", PASSWORD).get(timeout=WAIT_S)
    auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.authenticate("alice", "wrong 3").get(timeout=WAIT_S)

    counted = [
        (entry.type, entry.payload["principal"], entry.payload["attempts"])
        for entry in stage.entries("auth.failed", "auth.succeeded")
    ]
    assert counted == [
        ("auth.failed", "alice", 1),
        ("auth.failed", "alice", 2),
        ("auth.succeeded", "other", 1),
        ("auth.succeeded", "alice", 3),
        ("auth.failed", "alice", 1),
    ]


def test_an_unknown_name_costs_the_same_hash_as_a_known_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[argon2.Parameters] = []
    hashed: list[str] = []

    class CountingHasher(argon2.PasswordHasher):
        """The real hasher, which notes what it does."""

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            checked.append(argon2.extract_parameters(str(hash)))
            return super().verify(hash, password)

        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            hashed.append("one")
            return super().hash(password, salt=salt)

    monkeypatch.setattr(argon2, "PasswordHasher", CountingHasher)
    auth = stage.auth()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.authenticate("alice", "wrong").get(timeout=WAIT_S)
    after_known = len(hashed)
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            auth.authenticate("nobody", "wrong").get(timeout=WAIT_S)

    assert len(checked) == 3
    assert checked[0] == checked[1] == checked[2]
    # Not even the first unknown name costs a hash more than a known one.
    assert len(hashed) == after_known


def test_passwords_are_kept_as_argon2id_hashes_only(stage: Stage) -> None:
    stage.auth().create_user("alice", PASSWORD).get(timeout=WAIT_S)
    with tables(stage) as app:
        ((stored,),) = app.execute("SELECT password_hash FROM users").fetchall()
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    stage.stop_services()
    assert PASSWORD.encode() not in files_of(stage.directory)


def test_a_name_is_taken_once(stage: Stage) -> None:
    auth = stage.auth()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    with pytest.raises(UserExists, match=r"'alice' exists already; choose another name\.$"):
        auth.create_user("alice", "another password").get(timeout=WAIT_S)
    auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    assert [user.name for user in auth.list_users().get(timeout=WAIT_S)] == ["alice"]


@pytest.mark.parametrize(("name", "password"), [("", PASSWORD), ("a", "short"), ("a", "x" * 1001)])
def test_a_malformed_user_is_refused_without_showing_the_password(
    stage: Stage, name: str, password: str
) -> None:
    with pytest.raises(InvalidCommand, match=r"^CreateUser: ") as raised:
        stage.auth().create_user(name, password)
    assert password not in str(raised.value)


def test_a_credential_that_is_no_text_is_refused_as_such(stage: Stage) -> None:
    auth = stage.auth()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    token = auth.create_token("alice", label="ci").get(timeout=WAIT_S)
    for wrong in (None, PASSWORD.encode(), 12345678, token, SecretStr(None)):  # type: ignore[arg-type]
        for call in (
            lambda wrong=wrong: auth.create_user("bob", wrong),
            lambda wrong=wrong: auth.reset_password("alice", wrong),
            lambda wrong=wrong: auth.authenticate("alice", wrong),
            lambda wrong=wrong: auth.authenticate_token(wrong),
        ):
            with pytest.raises(InvalidCommand, match="give text, or a SecretStr of text") as raised:
                call()
            assert PASSWORD not in str(raised.value)


def test_a_token_lets_its_user_in_and_is_stored_as_a_digest(stage: Stage) -> None:
    auth = stage.auth()
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    token = auth.create_token("alice", label="ci").get(timeout=WAIT_S)
    secret = token.secret.get_secret_value()
    assert auth.authenticate_token(token.secret).get(timeout=WAIT_S).method == "token"
    stage.stop_services()
    principal = stage.auth().authenticate_token(secret, source_address="ci-1").get(timeout=WAIT_S)

    assert (principal.name, token.user_name, token.label) == ("alice", "alice", "ci")
    assert secret.startswith("mbk_")
    assert len(secret) > 40
    assert secret not in repr(token)
    entry = stage.entries("auth.succeeded")[1]
    assert (entry.payload["method"], entry.payload["source_address"]) == ("token", "ci-1")
    assert entry.user_identity == "alice"
    with tables(stage) as app:
        rows = app.execute("SELECT digest FROM tokens").fetchall()
    assert rows == [(hashlib.sha256(secret.encode()).digest(),)]
    assert secret.encode() not in files_of(stage.directory)


def test_an_unknown_token_is_refused_and_told_without_it(stage: Stage) -> None:
    auth = stage.auth()
    with pytest.raises(AuthenticationFailed, match=r"^the token was not accepted; .*\.$"):
        auth.authenticate_token("mbk_made-up-by-somebody").get(timeout=WAIT_S)
    entry = stage.only("auth.failed")
    assert entry.payload["principal"] == "unknown"
    assert entry.payload["reason"] == entry.outcome_reason == "bad_credential"
    assert b"made-up" not in entry.body


def test_a_token_needs_a_user(stage: Stage) -> None:
    with pytest.raises(UnknownUser, match=r"no user is named 'nobody'; list_users\(\)"):
        stage.auth().create_token("nobody", label="ci").get(timeout=WAIT_S)


def test_a_user_goes_with_all_tokens_which_the_trail_lists(stage: Stage) -> None:
    auth = stage.auth()
    for name in ("alice", "bob"):
        auth.create_user(name, PASSWORD).get(timeout=WAIT_S)
    tokens = [auth.create_token("alice", label=label).get(timeout=WAIT_S) for label in ("a", "b")]
    kept = auth.create_token("bob", label="c").get(timeout=WAIT_S)
    with bind(identity="root"):
        auth.delete_user("alice").get(timeout=WAIT_S)

    entry = stage.only("entity.deleted")
    assert entry.payload == {
        "entity_type": "user",
        "entity_id": "alice",
        "removed": ["API token 'a'", "API token 'b'"],
    }
    assert entry.user_identity == "root"
    for token in tokens:
        with pytest.raises(AuthenticationFailed):
            auth.authenticate_token(token.secret).get(timeout=WAIT_S)
    assert auth.authenticate_token(kept.secret).get(timeout=WAIT_S).name == "bob"
    with pytest.raises(UnknownUser):
        auth.delete_user("alice").get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    assert stage.entries("auth.failed")[-1].payload["reason"] == "unknown_user"


def test_text_that_is_no_unicode_is_refused_as_any_wrong_password(stage: Stage) -> None:
    auth = stage.auth()
    auth.create_user("ali\udce9", "passw\udce9rd").get(timeout=WAIT_S)
    assert auth.authenticate("ali\udce9", "passw\udce9rd").get(timeout=WAIT_S).name == "ali\udce9"
    for name in ("ali\udce9", "nobody"):
        with pytest.raises(AuthenticationFailed):
            auth.authenticate(name, "wr\ud800ng").get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.authenticate_token("mbk_\ud800").get(timeout=WAIT_S)
    assert len(stage.entries("auth.failed")) == 3
