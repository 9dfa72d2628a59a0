"""Slow work beside the AuthActor: others go on, order is kept, and everybody is answered."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import SecretStr

from minutebook.actors.lockout import LockoutRules
from minutebook.actors.passwords import Checked, Passwords
from minutebook.domain.context import bind
from minutebook.domain.errors import AuthenticationFailed, ServiceFailure, UserExists
from tests.actors.clock import quick
from tests.actors.stage import WAIT_S, Stage

PASSWORD = "correct horse battery"
RULES = LockoutRules()


class Slow(Passwords):
    """Hashes when it is let go, and counts how many do at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._running = 0
        self.most = 0

    def check(self, stored: str | None, password: SecretStr) -> Checked:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        self.begun.release()
        assert self.go.wait(WAIT_S)
        try:
            return super().check(stored, password)
        finally:
            with self._lock:
                self._running -= 1


def test_others_go_on_while_passwords_are_checked_and_each_user_is_in_order(stage: Stage) -> None:
    slow = Slow()
    auth = stage.auth(RULES, slow)
    for number in range(6):
        auth.create_user(f"user{number}", PASSWORD).get(timeout=WAIT_S)
    slow.go.clear()
    pending: list[Any] = []
    for number in range(6):
        with bind(identity=f"caller{number}"):
            pending.append(auth.authenticate(f"user{number}", PASSWORD))
    # All asked about one user, each of which needs the one before.
    with bind(identity="caller0"):
        pending += [
            auth.change_password("user0", PASSWORD, "the second one"),
            auth.authenticate("user0", "the second one"),
            auth.grant_role("user0", "r"),
            auth.require_role("none at all", user="user1"),
            auth.delete_user("user0"),
            auth.create_user("user0", "the third one"),
        ]
    for _ in range(2):
        assert slow.begun.acquire(timeout=WAIT_S)
    # Somebody else, at once: two checks hang, and four wait.
    token = auth.create_token("nobody", label="t")
    with pytest.raises(Exception, match="no user is named 'nobody'"):
        token.get(timeout=WAIT_S)
    assert len(auth.list_users().get(timeout=WAIT_S)) == 6
    slow.go.set()
    assert [each.get(timeout=WAIT_S).name for each in pending[:6]] == [
        f"user{number}" for number in range(6)
    ]
    assert [each.get(timeout=WAIT_S).name for each in (*pending[6:9], *pending[10:])] == (
        ["user0"] * 5
    )
    assert slow.most == 2
    assert [(e.payload["principal"], e.user_identity) for e in stage.entries("auth.succeeded")][
        -1
    ] == ("user0", "caller0")
    assert {(e.payload["principal"], e.user_identity) for e in stage.entries("auth.succeeded")} == {
        (f"user{number}", f"caller{number}") for number in range(6)
    }
    about = [e.type for e in stage.entries() if "user0" in str(e.payload)]
    assert about == [
        "user.created",
        "auth.succeeded",
        "user.changed",
        "auth.succeeded",
        "user.changed",
        "entity.deleted",
        "user.created",
    ]


def test_the_same_name_twice_at_once_is_taken_once(stage: Stage) -> None:
    auth = stage.auth(RULES, quick())
    first, second = (auth.create_user("alice", PASSWORD) for _ in range(2))
    assert first.get(timeout=WAIT_S).name == "alice"
    with pytest.raises(UserExists):
        second.get(timeout=WAIT_S)


def test_who_stops_answers_everybody_first(stage: Stage) -> None:
    slow = Slow()
    auth = stage.auth(RULES, slow)
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    slow.go.clear()
    pending = [auth.authenticate("alice", PASSWORD) for _ in range(3)]
    pending += [auth.authenticate("nobody", PASSWORD) for _ in range(3)]
    stopping = threading.Thread(target=stage.stop_services)
    stopping.start()
    assert slow.begun.acquire(timeout=WAIT_S)
    slow.go.set()
    stopping.join(WAIT_S)
    assert not stopping.is_alive()
    assert [each.get(timeout=0).name for each in pending[:3]] == ["alice"] * 3
    for refused in pending[3:]:
        with pytest.raises(AuthenticationFailed):
            refused.get(timeout=0)
    assert not [t for t in threading.enumerate() if t.name.startswith("minutebook-auth")]


class Broken(Passwords):
    """Fails in a way that nobody expects."""

    def check(self, stored: str | None, password: SecretStr) -> Checked:
        raise SystemExit(3)


def test_an_unexpected_end_of_a_check_is_the_callers_and_the_actor_lives(stage: Stage) -> None:
    auth = stage.auth(RULES, Broken(time_cost=1, memory_cost=8, parallelism=1))
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    for _ in range(2):
        with pytest.raises(ServiceFailure):
            auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    # It was counted all the same.
    assert auth.get_user("alice").get(timeout=WAIT_S).failed_attempts == 2
