"""SIGKILL between a service's state and its event: both agree after the next open."""

from __future__ import annotations

import random
import signal
import time
import tomllib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.appdb import AppDatabase
from minutebook.domain.entry import Entry
from tests.actors.project import Project
from tests.contract.trail import WAIT_S, check_trail, entries_of, start_child

PLACES = [
    ("sessions", "before telling"),
    ("sessions", "after committing"),
    ("auth", "before telling"),
    ("auth", "after committing"),
    ("plans", "before telling"),
    ("config", "before telling"),
    ("config", "before the change"),
    ("config", "after the change"),
    ("deletions", "before deleting"),
    ("deletions", "after deleting"),
    ("sandboxes", "before telling"),
    ("sandboxes", "after committing"),
    ("sandboxes", "before making"),
    ("sandboxes", "after making"),
    ("sandboxes", "before removing"),
    ("sandboxes", "after removing"),
]
EVERYTHING = ["sessions", "auth", "config", "deletions", "plans", "sandboxes"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return Project(tmp_path / "project")


def kill_at(ledger: Path, project: Project, what: str, place: str, count: int) -> None:
    child = start_child("tests.crash.outboxing", ledger, project.path, what, place, count)
    _, errors = child.communicate(timeout=WAIT_S)
    assert child.returncode == -signal.SIGKILL, errors


def kill_sometime(ledger: Path, project: Project, what: str, after_s: float) -> None:
    child = start_child("tests.crash.outboxing", ledger, project.path, what, "", 0)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(after_s)
    child.kill()
    child.communicate(timeout=WAIT_S)


def rows(ledger: Path, sql: str) -> list[dict[str, Any]]:
    database = AppDatabase(ledger.with_name("audit.db.app.db"))
    try:
        return database.rows(sql)
    finally:
        database.close()


def reopen_and_check(ledger: Path, project: Project) -> None:
    with AuditSystem.open(ledger):
        pass
    entries = entries_of(ledger)
    check_trail(entries)
    assert not [entry for entry in entries if entry.type == "audit.gap"]
    assert rows(ledger, "SELECT * FROM outbox") == rows(ledger, "SELECT * FROM intents") == []
    by_type: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_type[entry.type].append(entry)
    check_sessions(ledger, by_type)
    check_users(ledger, entries)
    check_accounts(ledger, by_type)
    check_plans(ledger, by_type)
    check_sandboxes(ledger, project, by_type)
    check_config(ledger, entries)


def once(entries: list[Entry], name: str) -> set[Any]:
    values = [entry.payload.get(name) or getattr(entry, name) for entry in entries]
    assert max(Counter(values).values(), default=1) == 1
    return set(values)


def deleted(by_type: dict[str, list[Entry]], kind: str) -> set[Any]:
    told = [e for e in by_type["entity.deleted"] if e.payload["entity_type"] == kind]
    return once(told, "entity_id")


def check_sessions(ledger: Path, by_type: dict[str, list[Entry]]) -> None:
    kept = rows(ledger, "SELECT session_id, closed_at FROM sessions")
    gone = deleted(by_type, "session")
    assert (
        once(by_type["session.created"], "session_id") == {row["session_id"] for row in kept} | gone
    )
    closed = {row["session_id"] for row in kept if row["closed_at"]}
    assert once(by_type["session.closed"], "session_id") == closed | gone


def check_users(ledger: Path, entries: list[Entry]) -> None:
    expected: dict[str, int] = {}
    for entry in entries:
        if entry.type == "auth.failed":
            name = entry.payload["principal"]
            expected[name] = expected.get(name, 0) + 1
            assert entry.payload["attempts"] == expected[name]
        elif entry.type == "auth.succeeded":
            name = entry.payload["principal"]
            if entry.payload["method"] == "token":
                assert entry.payload["attempts"] == 1
                continue
            assert entry.payload["attempts"] == expected.get(name, 0) + 1
            expected[name] = 0
    for row in rows(ledger, "SELECT name, failed_attempts FROM users"):
        # Counted before it is tried: the kill may have come between.
        assert row["failed_attempts"] - expected.get(row["name"], 0) in (0, 1)


def check_accounts(ledger: Path, by_type: dict[str, list[Entry]]) -> None:
    users = {row["name"]: row for row in rows(ledger, "SELECT * FROM users")}
    gone = deleted(by_type, "user")
    assert once(by_type["user.created"], "user_name") == {*users} | gone
    tokens = {row["token_id"]: row["user_name"] for row in rows(ledger, "SELECT * FROM tokens")}
    made = {e.payload["token_id"]: e.payload["user_name"] for e in by_type["token.created"]}
    assert tokens == {token: name for token, name in made.items() if name not in gone}
    changed: dict[str, set[str]] = defaultdict(set)
    for entry in by_type["user.changed"]:
        changed[entry.payload["change"]].add(entry.payload["user_name"])
    roles = {row["user_name"] for row in rows(ledger, "SELECT * FROM user_roles")}
    assert roles == changed["role_granted"] - gone
    disabled = {name for name, row in users.items() if row["disabled_at"] is not None}
    assert disabled == changed["disabled"] - gone
    # With the user's change, in one transaction, or not at all.
    for session in rows(ledger, "SELECT * FROM sessions WHERE closed_at IS NULL"):
        assert session["user_identity"] not in changed["disabled"]


def check_plans(ledger: Path, by_type: dict[str, list[Entry]]) -> None:
    kept = {row["plan_id"]: row["phase"] for row in rows(ledger, "SELECT * FROM plans")}
    assert once(by_type["plan.created"], "plan_id") == {*kept} | deleted(by_type, "plan")
    phases = dict.fromkeys(once(by_type["plan.created"], "plan_id"), "action")
    for entry in by_type["plan.phase_changed"]:
        assert entry.plan_id is not None
        assert entry.payload["phase_from"] == phases[entry.plan_id]
        phases[entry.plan_id] = entry.payload["phase_to"]
    assert kept == {plan_id: phases[plan_id] for plan_id in kept}


def check_sandboxes(ledger: Path, project: Project, by_type: dict[str, list[Entry]]) -> None:
    kept = rows(ledger, "SELECT sandbox_id, path, released_at FROM sandboxes")
    created = once(by_type["sandbox.created"], "sandbox_id")
    released = once(by_type["sandbox.released"], "sandbox_id")
    assert created == {row["sandbox_id"] for row in kept}
    assert released == {row["sandbox_id"] for row in kept if row["released_at"]}
    assert by_type["sandbox.release_failed"] == []
    for entry in by_type["sandbox.released"]:
        assert entry.payload["files_freed"] > 0
        assert entry.user_identity == "alice"
    paths = {row["path"] for row in kept if not row["released_at"]}
    directory = ledger.with_name("audit.db.sandboxes")
    # A lock file is empty; one whose maker died at once, before its intent, is left.
    there = {str(path) for path in directory.glob("*") if path.suffix != ".lock"}
    assert there == paths | {f"{path}.sandbox.json" for path in paths}
    assert project.worktrees() == 1 + len(paths)
    assert len(project.branches()) == 1 + len(paths)


def check_config(ledger: Path, entries: list[Entry]) -> None:
    expected: dict[str, Any] = {}
    for entry in entries:
        if entry.type == "config.changed":
            key, new = entry.payload["key"], entry.payload["new_value"]
            assert entry.payload["old_value"] == expected.get(key)
            expected[key] = new
        elif entry.type == "entity.deleted" and entry.payload["entity_type"] == "config_scope":
            assert sorted(entry.payload["removed"]) == sorted(
                key for key, value in expected.items() if value is not None
            )
            expected.clear()
    path = ledger.with_name("audit.db.config.toml")
    found = tomllib.loads(path.read_text())["a"] if path.exists() else {}
    assert {f"a.{name}": value for name, value in found.items()} == {
        key: value for key, value in expected.items() if value is not None
    }


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("rounds", "places"),
    [
        pytest.param(1, PLACES[::2], id="sample"),
        pytest.param(7, PLACES, id="long", marks=pytest.mark.slow),
    ],
)
def test_killed_between_state_and_event(
    tmp_path: Path, project: Project, rounds: int, places: list[tuple[str, str]]
) -> None:
    """At each place, the next open makes state and trail agree, each event once."""
    ledger = tmp_path / "audit.db"
    chance = random.Random(rounds)
    for _ in range(rounds):
        for what, place in places:
            kill_at(ledger, project, what, place, chance.randint(1, 2 if rounds == 1 else 5))
            reopen_and_check(ledger, project)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "runs",
    [pytest.param(6, id="sample"), pytest.param(100, id="long", marks=pytest.mark.slow)],
)
def test_killed_at_any_moment(tmp_path: Path, project: Project, runs: int) -> None:
    """Wherever the kill falls."""
    ledger = tmp_path / "audit.db"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for run in range(runs):
        what = EVERYTHING[run % len(EVERYTHING)]
        kill_sometime(ledger, project, what, chance.uniform(0, 0.3))
        reopen_and_check(ledger, project)


def test_what_a_live_process_owns_is_left_alone(tmp_path: Path, project: Project) -> None:
    """Another one opens beside it, looks, and takes nothing; after its death, it takes all."""
    ledger = tmp_path / "audit.db"
    # It hangs with its event in the outbox, untold.
    child = start_child("tests.crash.holding_back", ledger)
    assert child.stdout is not None
    assert child.stdout.readline() == "held back\n"
    with child, AuditSystem.open(ledger) as system:
        for _ in range(3):
            assert system._services is not None
            system._services.catch_up()
            system._services.wait_caught_up()
        (row,) = rows(ledger, "SELECT producer FROM outbox")
        assert row["producer"] != system.producer
        system.flush(timeout=WAIT_S)
        assert not [e for e in entries_of(ledger) if e.type == "session.created"]
        child.kill()
        child.wait(timeout=WAIT_S)
    reopen_and_check(ledger, project)
    (created,) = [e for e in entries_of(ledger) if e.type == "session.created"]
    assert created.user_identity == "bob"
