"""Passwords: the same work for whoever asks, hashes of today, and no word in an error."""

from __future__ import annotations

import statistics
import time
import traceback
from collections.abc import Callable
from typing import Literal

import argon2
import pytest
from pydantic import SecretStr

from minutebook.actors.auth_service import Auth
from minutebook.actors.lockout import LockoutRules
from minutebook.actors.passwords import Passwords
from minutebook.domain.errors import AuthenticationFailed, PasswordHashingFailed
from tests.actors.clock import quick
from tests.actors.stage import WAIT_S, Stage

PASSWORD = "correct horse battery"
SECRET = SecretStr("one-secret-4711")


def hash_of(stage: Stage) -> str:
    database = stage.database()
    try:
        row = database.row("SELECT password_hash FROM users WHERE name = 'alice'")
    finally:
        database.close()
    assert row is not None
    return str(row["password_hash"])


def test_a_login_renews_a_hash_that_was_made_with_other_parameters(stage: Stage) -> None:
    auth = stage.auth(LockoutRules(), quick())
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    old = hash_of(stage)
    auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    assert hash_of(stage) == old
    auth = stage.auth(LockoutRules(), Passwords(time_cost=2, memory_cost=8, parallelism=1))
    with pytest.raises(AuthenticationFailed):
        auth.authenticate("alice", "wrong").get(timeout=WAIT_S)
    assert hash_of(stage) == old
    auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    new = hash_of(stage)
    assert "$m=8,t=2,p=1$" in new
    auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    assert hash_of(stage) == new


def test_every_refusal_costs_one_check_with_the_same_parameters(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong, unknown, locked, disabled, and a change of either's password; and as many writes."""
    work: list[object] = []

    class Counting(argon2.PasswordHasher):
        """The real hasher, which notes what it does."""

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            work.append(argon2.extract_parameters(str(hash)))
            return super().verify(hash, password)

    monkeypatch.setattr(argon2, "PasswordHasher", Counting)
    auth = stage.auth(LockoutRules(attempts=2), quick())
    for name in ("alice", "disabled"):
        auth.create_user(name, PASSWORD).get(timeout=WAIT_S)
    auth.disable_user("disabled").get(timeout=WAIT_S)
    database = stage.database()

    def costs(ask: Callable[[], object]) -> tuple[list[object], int]:
        work.clear()
        before = database.row("PRAGMA data_version")
        with pytest.raises(AuthenticationFailed):
            ask()
        changed = database.row("PRAGMA data_version") != before
        return list(work), changed

    def tried(name: str, password: str) -> Callable[[], object]:
        return lambda: auth.authenticate(name, password).get(timeout=WAIT_S)

    def change(name: str) -> Callable[[], object]:
        return lambda: auth.change_password(name, "wrong", PASSWORD).get(timeout=WAIT_S)

    try:
        found = [
            costs(tried("alice", "wrong")),
            costs(tried("nobody", "wrong")),
            costs(tried("disabled", PASSWORD)),
            costs(change("alice")),
            costs(change("nobody")),
            costs(tried("alice", "wrong")),
            costs(tried("alice", PASSWORD)),
            costs(change("alice")),
        ]
        counted = database.row("SELECT attempts FROM unknown_attempts")
    finally:
        database.close()
    assert len(found[0][0]) == 1
    assert all(each == found[0] for each in found)
    assert counted == {"attempts": 2}
    reasons = [entry.payload["reason"] for entry in stage.entries("auth.failed")]
    assert reasons == [
        "bad_credential",
        "unknown_user",
        "disabled",
        "bad_credential",
        "unknown_user",
        "locked",
        "locked",
        "locked",
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_time_of_a_refusal_tells_no_names(stage: Stage) -> None:
    """Medians of wrong, unknown and locked, taken in turns, with the real parameters."""
    auth = stage.auth(LockoutRules(attempts=1000))
    locking = stage.auth(LockoutRules(attempts=1, base_s=3600.0))
    for name in ("alice", "locked"):
        auth.create_user(name, PASSWORD).get(timeout=WAIT_S)
    kinds: dict[str, tuple[Auth, str, str]] = {
        "wrong": (auth, "alice", "wrong"),
        "unknown": (auth, "nobody", "wrong"),
        "locked": (locking, "locked", "wrong"),
        "locked, right": (locking, "locked", PASSWORD),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(23):
        for kind, (asked, name, password) in kinds.items():
            started = time.perf_counter()
            with pytest.raises(AuthenticationFailed):
                asked.authenticate(name, password).get(timeout=WAIT_S)
            if turn >= 3:
                times[kind].append(time.perf_counter() - started)
    medians = {kind: statistics.median(each) for kind, each in times.items()}
    print({kind: f"{median * 1e3:.2f} ms" for kind, median in medians.items()})
    # A refusal that did no check would take a tenth of it.
    assert max(medians.values()) / min(medians.values()) < 1.6


@pytest.mark.parametrize("stored", ["no hash at all", "$argon2id$v=19$m=8,t=1,p=1$AAAA$????"])
def test_a_damaged_hash_fits_no_password_and_is_logged(
    stage: Stage, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    auth = stage.auth(LockoutRules(), quick())
    auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    database = stage.database()
    database.execute("UPDATE users SET password_hash = ?", (stored,))
    database.close()
    with pytest.raises(AuthenticationFailed):
        auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    assert stage.only("auth.failed").payload["reason"] == "bad_credential"
    assert [r.levelname for r in caplog.records if "cannot be used" in r.message] == ["ERROR"]
    auth.reset_password("alice", PASSWORD).get(timeout=WAIT_S)
    auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)


def test_an_error_of_the_hasher_shows_no_password() -> None:
    """Nor do the locals of any frame that its traceback goes through; none is chained."""
    broken = quick()

    class Failing:
        def hash(self, password: bytes) -> str:
            raise MemoryError(password)

        def verify(self, stored: str, password: bytes) -> bool:
            raise MemoryError(password)

    broken.__dict__.update(_hasher=Failing(), _nobodys_hash="x")
    for ask in (
        lambda: broken.check("x", SECRET),
        lambda: broken.replace("x", SECRET, SECRET),
        lambda: broken.hash(SECRET),
    ):
        with pytest.raises(PasswordHashingFailed, match="argon2 could not hash") as raised:
            ask()
        error = raised.value
        assert error.__cause__ is None
        assert error.__context__ is None
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown = "".join(found.format())
        assert "password" in shown
        assert SECRET.get_secret_value() not in shown
