"""SIGKILL at each persisted step of a cancellation: the next open brings it to the same end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.appdb import AppDatabase
from minutebook.actors.work.survivors import find_survivors
from minutebook.domain.entry import Entry
from minutebook.domain.errors import MinutebookError
from minutebook.domain.state import Cancellation
from tests.actors.holders import Gate, Shelf
from tests.actors.project import Project, eventually
from tests.contract.trail import ROOT, WAIT_S, check_trail, entries_of, start_child
from tests.crash.cancelling import PLACES, FileShelf


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return Project(tmp_path / "project")


def rows(ledger: Path, sql: str) -> list[dict[str, object]]:
    database = AppDatabase(ledger.with_name("audit.db.app.db"))
    try:
        return database.rows(sql)
    finally:
        database.close()


def kill_at(ledger: Path, project: Project, shelf: Path, place: str, count: int) -> list[str]:
    """Ids of the two plans."""
    child = start_child("tests.crash.cancelling", ledger, project.path, shelf, place, count)
    out, errors = child.communicate(timeout=WAIT_S)
    assert child.returncode == -signal.SIGKILL, errors
    ids = out.split()
    assert len(ids) == 2
    return ids


def check_incomplete(ledger: Path, plan_id: str, *, is_told: bool) -> None:
    """Between the two: whoever looks sees that it has not ended, unless it has."""
    (plan,) = rows(ledger, f"SELECT * FROM plans WHERE plan_id = '{plan_id}'")
    states = rows(ledger, f"SELECT state FROM cancellations WHERE plan_id = '{plan_id}'")
    done = states == [{"state": "done"}]
    now = (plan["phase"], plan["processing_state"])
    assert (now == ("cancelled", "complete")) == done
    told = [entry for entry in entries_of(ledger) if entry.type == "plan.cancelled"]
    assert plan_id not in {entry.plan_id for entry in told} or (done and is_told)


def check_end(
    ledger: Path, project: Project, shelf: Path, ids: list[str], ended: Cancellation
) -> None:
    parent, child = ids
    entries = entries_of(ledger)
    check_trail(entries)
    told: dict[str | None, list[Entry]] = {}
    for entry in entries:
        if entry.type == "plan.cancelled":
            told.setdefault(entry.plan_id, []).append(entry)
    assert {plan_id: len(of_plan) for plan_id, of_plan in told.items()} == {parent: 1, child: 1}
    entry, of_child = told[parent][0], told[child][0]
    assert entry.id == ended.entry_id
    assert (entry.user_identity, of_child.user_identity) == ("alice", "alice")
    assert of_child.causation_id == entry.id
    payload = entry.payload
    assert payload["failed"] == payload["pending"] == []
    assert (payload["phase"], payload["processing_state"]) == ("execute", "processing")
    assert payload["child_plans"]["cancelled"] == [child]
    held = rows(ledger, f"SELECT kind, id FROM cancelled_resources WHERE plan_id = '{parent}'")
    said = {(resource["kind"], resource["id"]) for resource in payload["released"]}
    assert said == {(row["kind"], row["id"]) for row in held}
    kinds = {kind for kind, _ in said}
    assert {"git_worktree", "git_branch", "session", "temp_file"} <= kinds
    sandboxes = ledger.with_name("audit.db.sandboxes")
    assert list(sandboxes.iterdir()) == []
    assert (project.branches(), project.worktrees()) == (["main"], 1)
    assert list(shelf.iterdir()) == []
    for sql in (
        "SELECT * FROM plans WHERE (phase, processing_state) <> ('cancelled', 'complete')",
        "SELECT * FROM cancellations WHERE state <> 'done'",
        "SELECT * FROM plan_workers",
        "SELECT * FROM outbox",
        "SELECT * FROM intents",
        "SELECT * FROM sessions WHERE closed_at IS NULL",
    ):
        assert rows(ledger, sql) == []


SAMPLE = "before held"

STEPS = [
    pytest.param(place, count, id=f"{place}, {count}", marks=marks)
    for place in PLACES
    # The first to come may be either plan.
    for count in (1, 2)
    for marks in [() if (place, count) == (SAMPLE, 2) else pytest.mark.slow]
]


@pytest.mark.parametrize(("place", "count"), STEPS)
def test_killed_at_each_step(tmp_path: Path, project: Project, place: str, count: int) -> None:
    shelf, ledger = tmp_path / "shelf", tmp_path / "audit.db"
    shelf.mkdir()
    ids = kill_at(ledger, project, shelf, place, count)
    check_incomplete(ledger, ids[0], is_told=place == "after telling")
    marks = [str(row["mark"]) for row in rows(ledger, "SELECT mark FROM plan_workers")]
    with AuditSystem.open(ledger, holders=[FileShelf(shelf)]) as system:
        # Joins the one that is gone on with, or has been.
        ended = system.plans.cancel(ids[0], reason="second").get(timeout=WAIT_S)
        assert ended == system.plans.cancellation(ids[0]).get(timeout=WAIT_S)
        assert (ended.complete, ended.reason) == (True, "first")
        system.flush(timeout=WAIT_S)
    check_end(ledger, project, shelf, ids, ended)
    for mark in marks:
        eventually(lambda mark=mark: not find_survivors(mark, None, None))  # type: ignore[misc]


DIES_APPLYING = """
import sys
from minutebook.actors import AuditSystem
from minutebook.actors.moving.move import Move
from minutebook.domain import bind
from minutebook.domain.errors import UnknownCancellation
from tests.actors import works
from tests.crash.cancelling import die

system = AuditSystem.open(sys.argv[1])
forth = Move.forth

def forth_and_die(move):
    forth(move)
    system.plans.cancel(plan.plan_id, reason="r", policy=sys.argv[3])
    while True:
        try:
            system.plans.cancellation(plan.plan_id).get(timeout=60)
        except UnknownCancellation:
            continue
        die()

Move.forth = forth_and_die
with bind(identity="alice"):
    plan = system.plans.create(action="a", project=sys.argv[2]).get(timeout=60)
    system.plans.strategize(plan.plan_id, strategy="s").get(timeout=60)
    system.apply.execute(plan.plan_id, works.add_one).get(timeout=60)
    print(plan.plan_id, flush=True)
    system.apply.apply(plan.plan_id).get(timeout=60)
"""


@pytest.mark.parametrize("policy", ["rollback", pytest.param("wait", marks=pytest.mark.slow)])
def test_killed_while_a_cancelled_plan_is_applied(
    tmp_path: Path, project: Project, policy: str
) -> None:
    """The files were moved when the host died: the policy says where they go after that."""
    ledger = tmp_path / "audit.db"
    head = project.head
    died = subprocess.run(
        [sys.executable, "-c", DIES_APPLYING, str(ledger), str(project.path), policy],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    plan_id = died.stdout.strip()
    assert (project.path / f"added-{plan_id}.txt").exists()
    with AuditSystem.open(ledger) as system:
        ended = system.plans.cancel(plan_id, reason="again").get(timeout=WAIT_S)
        plan = system.plans.get(plan_id).get(timeout=WAIT_S)
    applied = policy == "wait"
    assert (ended.reason, ended.policy) == ("r", policy)
    assert ended.apply_outcome == ("applied" if applied else "rolled_back")
    assert plan.phase == ("applied" if applied else "cancelled")
    assert (project.path / f"added-{plan_id}.txt").exists() == applied
    assert (project.head != head) == applied
    assert project.git("status", "--porcelain") == b""
    (entry,) = [entry for entry in entries_of(ledger) if entry.type == "plan.cancelled"]
    assert entry.payload["apply_outcome"] == ended.apply_outcome
    assert list(ledger.with_name("audit.db.sandboxes").iterdir()) == []


def test_a_close_in_the_middle_leaves_it_to_the_next_open(tmp_path: Path, project: Project) -> None:
    ledger, gate = tmp_path / "audit.db", Gate()
    system = AuditSystem.open(ledger, holders=[Shelf("slow", "thing", at_release=gate)])
    plan = system.plans.create(action="a", project=project.path).get(timeout=WAIT_S)
    asked = system.plans.cancel(plan.plan_id, reason="first", deadline=600)
    assert gate.reached.wait(WAIT_S)
    system.close(timeout=0.5)
    gate.open()
    with pytest.raises(MinutebookError):
        asked.get(timeout=WAIT_S)
    shelf = Shelf("slow", "thing")
    with AuditSystem.open(ledger, holders=[shelf]) as again:
        ended = again.plans.cancel(plan.plan_id, reason="second").get(timeout=WAIT_S)
    assert (ended.complete, ended.reason) == (True, "first")
    assert [held.id for held in ended.released] == ["thing"]
    (entry,) = [entry for entry in entries_of(ledger) if entry.type == "plan.cancelled"]
    assert entry.id == ended.entry_id
    # Once here or there, whoever was first.
    types = [entry.type for entry in entries_of(ledger)]
    assert types.count("resource.released") == 1
