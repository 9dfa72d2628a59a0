"""Lock-out: so many wrong passwords, and then none is tried for a while."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from pydantic import SecretStr

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.auth_service import Auth
from minutebook.actors.lockout import ATTEMPT_S, LockoutRules, admit, note_failure
from minutebook.actors.passwords import Checked, Passwords
from minutebook.domain.context import bind
from minutebook.domain.errors import AuthenticationFailed
from tests.actors.clock import Clock, quick
from tests.actors.stage import WAIT_S, Stage

PASSWORD = "correct horse battery"
RULES = LockoutRules(attempts=3, base_s=10.0, cap_s=35.0)


def fails(auth: Auth, password: str = "wrong", name: str = "alice") -> str:
    with pytest.raises(AuthenticationFailed) as raised:
        auth.authenticate(name, password).get(timeout=WAIT_S)
    return str(raised.value)


def told(stage: Stage) -> list[tuple[str, int, bool]]:
    return [
        (
            entry.payload["reason"],
            entry.payload["attempts"],
            entry.payload["locked_until"] is not None,
        )
        for entry in stage.entries("auth.failed")
    ]


def test_the_rules_double_up_to_a_cap() -> None:
    assert [RULES.lock_s(failed) for failed in range(8)] == [0, 0, 0, 10, 20, 35, 35, 35]
    assert LockoutRules(1, 1.0, 9.0).lock_s(10**6) == 9.0


def test_a_user_is_locked_with_back_off_until_a_success(stage: Stage) -> None:
    """Neither the caller nor a right password can tell; time, and then a success, end it."""
    clock = Clock()
    auth = stage.auth(RULES, quick(), clock)
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    auth.create_user("other", PASSWORD).get(timeout=WAIT_S)
    said = {fails(auth) for _ in range(3)} | {fails(auth, PASSWORD)}
    assert said == {fails(auth, name="nobody")}
    assert auth.authenticate("other", PASSWORD).get(timeout=WAIT_S).name == "other"

    # A restart wins nothing.
    stage.stop_services()
    auth = stage.auth(RULES, quick(), clock)
    fails(auth, PASSWORD)
    user = auth.get_user("alice").get(timeout=WAIT_S)
    assert (user.failed_attempts, user.lock_ends_at) == (3, clock.now + timedelta(seconds=10))

    # One try after each lock, and each lock is twice as long.
    clock.move(10)
    fails(auth)
    clock.move(19)
    fails(auth, PASSWORD)
    clock.move(1)
    fails(auth)
    clock.move(34)
    fails(auth, PASSWORD)
    clock.move(1)
    assert auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S).name == "alice"
    fails(auth)

    assert [each for each in told(stage) if each[0] != "unknown_user"] == [
        ("bad_credential", 1, False),
        ("bad_credential", 2, False),
        ("bad_credential", 3, True),
        ("locked", 4, True),
        ("locked", 5, True),
        ("bad_credential", 6, True),
        ("locked", 7, True),
        ("bad_credential", 8, True),
        ("locked", 9, True),
        ("bad_credential", 1, False),
    ]
    *_, succeeded = stage.entries("auth.succeeded")
    assert succeeded.payload["attempts"] == 10


def test_an_administrator_unlocks_and_a_reset_does_too(stage: Stage) -> None:
    auth = stage.auth(RULES, quick(), Clock())
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    auth.unlock_user("alice").get(timeout=WAIT_S)
    for _ in range(3):
        fails(auth)
    fails(auth, PASSWORD)
    with bind(identity="root"):
        user = auth.unlock_user("alice").get(timeout=WAIT_S)
    assert (user.failed_attempts, user.lock_ends_at) == (0, None)
    assert auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S).name == "alice"
    for _ in range(3):
        fails(auth)
    auth.reset_password("alice", "another password").get(timeout=WAIT_S)
    assert auth.authenticate("alice", "another password").get(timeout=WAIT_S).name == "alice"
    changes = [(e.payload["change"], e.user_identity) for e in stage.entries("user.changed")]
    assert changes == [("unlocked", "root"), ("password_reset", None)]


def test_a_token_neither_locks_nor_unlocks(stage: Stage) -> None:
    """An agent's token in use gives nobody further guesses at the password."""
    auth = stage.auth(RULES, quick(), Clock())
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    token = auth.create_token("alice", label="ci").get(timeout=WAIT_S)
    for _ in range(4):
        fails(auth)
        assert auth.authenticate_token(token.secret).get(timeout=WAIT_S).name == "alice"
    assert [reason for reason, _, _ in told(stage)] == ["bad_credential"] * 3 + ["locked"]
    # And a user of the name that unknown tokens have in the trail is not who is counted.
    auth.create_user("unknown", PASSWORD).get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.authenticate_token("mbk_nothing").get(timeout=WAIT_S)
    assert auth.get_user("unknown").get(timeout=WAIT_S).failed_attempts == 0


def test_changing_a_password_is_an_attempt_too(stage: Stage) -> None:
    auth = stage.auth(RULES, quick(), Clock())
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    for old in ("wrong", "wrong", "wrong", PASSWORD):
        with pytest.raises(AuthenticationFailed):
            auth.change_password("alice", old, "another password").get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.change_password("nobody", PASSWORD, "another password").get(timeout=WAIT_S)
    assert [reason for reason, _, _ in told(stage)] == [
        *["bad_credential"] * 3,
        "locked",
        "unknown_user",
    ]


class Held(Passwords):
    """Checks when it is let go."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.begun = threading.Event()
        self.go = threading.Event()

    def check(self, stored: str | None, password: SecretStr) -> Checked:
        self.begun.set()
        assert self.go.wait(WAIT_S)
        return super().check(stored, password)


def test_right_passwords_at_once_wait_for_each_other_and_do_not_lock(stage: Stage) -> None:
    """What another process is checking uses up the last try, or gives all back: wait for it."""
    clock, held = Clock(), Held()
    rules = LockoutRules(attempts=1)
    first = stage.auth(rules, held, clock)
    first.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    second = stage.auth(rules, quick(), clock)
    one = first.authenticate("alice", PASSWORD)
    assert held.begun.wait(WAIT_S)
    two = second.authenticate("alice", PASSWORD)
    # What is asked about others goes on meanwhile.
    second.create_user("bob", PASSWORD).get(timeout=WAIT_S)
    held.go.set()
    assert {one.get(timeout=WAIT_S).name, two.get(timeout=WAIT_S).name} == {"alice"}
    assert stage.entries("auth.failed") == []


def test_a_process_that_died_in_an_attempt_has_used_it_up(stage: Stage) -> None:
    """Its try is gone, and nobody waits for it for ever; nor after a clock is set back."""
    clock = Clock()
    auth = stage.auth(RULES, quick(), clock)
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    database: AppDatabase = stage.database()
    try:

        def admitted() -> str:
            with database.transaction():
                return admit(database, "alice", RULES, clock.now).verdict

        assert [admitted() for _ in range(4)] == ["admitted"] * 3 + ["wait"]
        clock.move(ATTEMPT_S)
        assert [admitted(), admitted()] == ["admitted", "wait"]
        clock.move(-1)
        assert admitted() == "admitted"
        with database.transaction():
            assert note_failure(database, "alice", RULES, clock.now).attempts == 5
        assert admitted() == "locked"
    finally:
        database.close()
    fails(auth, PASSWORD)
    assert told(stage) == [("locked", 7, True)]
