"""SIGKILL amid an apply: every project unchanged or fully applied at the next open, told once."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.appdb import AppDatabase
from minutebook.domain.plan import Phase
from tests.contract.trail import WAIT_S, check_trail, entries_of, start_child, wait_until
from tests.moving.trees import change, fill, git, look

KINDS = {
    "git": ("git",),
    "directory": ("directory",),
    "mixed": ("directory", "git", "git"),
}

NOTHING, FAILED, APPLIED = "nothing", "failed", "applied"

# Where it dies, the how-manieth time, and what is to be found then.
MATRIX = [
    ("before begin", 1, NOTHING),
    ("after begin", 1, NOTHING),
    ("after phase", 1, FAILED),
    ("before merge", 1, FAILED),
    ("after merge", 1, FAILED),
    ("before validation", 1, FAILED),
    ("after validation", 1, FAILED),
    ("after report", 1, FAILED),
    ("before step", 1, FAILED),
    ("after step", 1, FAILED),  # not committed yet
    ("before move", 1, APPLIED),
    ("after file", 1, APPLIED),
    ("before file", 5, APPLIED),
    ("after move", 1, APPLIED),
    ("before undo", 1, FAILED),
    ("after undo", 1, FAILED),
    ("after step", 2, APPLIED),
    ("before finish", 1, APPLIED),
    ("before plan's end", 1, APPLIED),
    ("after plan's end", 1, APPLIED),
    ("before release", 1, APPLIED),
    ("after release", 1, APPLIED),
    ("before abandon", 1, APPLIED),
    ("before drop", 1, APPLIED),
    ("after drop", 1, APPLIED),
]
SAMPLE = [("mixed", *MATRIX[12]), ("mixed", *MATRIX[14])]
MIDWAY = [("mixed", "after move", count, APPLIED) for count in (2, 3)] + [
    ("mixed", "after undo", count, FAILED) for count in (2, 3)
]
FULL = [(kind, *case) for kind in KINDS for case in MATRIX] + MIDWAY


class Target(NamedTuple):
    """A project, and what it looks like at both ends."""

    path: Path
    kind: str
    before: object
    after: object

    def look(self) -> object:
        return look(self.path)


@pytest.fixture
def make_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Target]]:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    def make(kinds: str) -> list[Target]:
        return [_target(tmp_path / f"p{number}", kind) for number, kind in enumerate(KINDS[kinds])]

    return make


def _target(path: Path, kind: str) -> Target:
    twin = path.with_name(f"{path.name}-twin")
    for place in (path, twin):
        place.mkdir()
        fill(place)
    before = look(twin)
    change(twin)
    if kind == "git":
        git(path, "init", "-q", "-b", "main")
        git(path, "add", "-A")
        git(path, "commit", "-qm", "first")
    return Target(path, kind, before, look(twin))


def kill_at(ledger: Path, place: str, count: int, targets: list[Target]) -> str:
    paths = [target.path for target in targets]
    child = start_child("tests.crash.applying", ledger, place, count, *paths)
    output, errors = child.communicate(timeout=WAIT_S)
    assert child.returncode == -signal.SIGKILL, errors
    return output.strip()


def check(ledger: Path, plan_id: str, targets: list[Target], expected: str) -> None:
    """Trees, HEADs, status, the plan and the trail agree, and nothing else is left."""
    phases = {NOTHING: Phase.EXECUTE, FAILED: Phase.ERRORED, APPLIED: Phase.APPLIED}
    with AuditSystem.open(ledger) as system:
        assert system.plans.get(plan_id).get(timeout=WAIT_S).phase is phases[expected]
    for target in targets:
        assert target.look() == (target.after if expected == APPLIED else target.before)
        if target.kind == "git":
            assert git(target.path, "status", "--porcelain", "-z") == b""
            commits = int(git(target.path, "rev-list", "--count", "HEAD"))
            assert commits == (2 if expected == APPLIED else 1)
            assert not list((target.path / ".git").glob("*lock"))
            assert not list((target.path / ".git").glob("minutebook*"))
    database = AppDatabase(ledger.with_name(f"{ledger.name}.app.db"))
    try:
        assert database.rows("SELECT * FROM intents") == []
        assert database.rows("SELECT * FROM outbox") == []
    finally:
        database.close()
    if expected != NOTHING:
        for target in targets:
            if target.kind == "git":
                assert git(target.path, "branch", "--format=%(refname:short)") == b"main\n"
                assert git(target.path, "worktree", "list", "--porcelain").count(b"worktree ") == 1
        assert list(ledger.with_name(f"{ledger.name}.sandboxes").iterdir()) == []
    entries = entries_of(ledger)
    check_trail(entries)
    told = Counter(entry.type for entry in entries)
    assert told["audit.gap"] == 0
    assert told["plan.apply_completed"] == (0 if expected == NOTHING else 1)
    assert told["plan.applied"] == (1 if expected == APPLIED else 0)
    assert told["plan.errored"] == (1 if expected == FAILED else 0)
    modified = [
        (entry.project_names, entry.payload["resource"])
        for entry in entries
        if entry.type == "resource.modified"
    ]
    assert len(set(modified)) == len(modified)
    completed = [entry for entry in entries if entry.type == "plan.apply_completed"]
    if expected == APPLIED:
        assert completed[0].outcome == "success"
        assert completed[0].payload["files_changed"] == len(modified) > 10 * len(targets)
        assert [entry.user_identity for entry in completed] == ["alice"]
    else:
        assert modified == []


@pytest.mark.parametrize(("kinds", "place", "count", "expected"), SAMPLE)
def test_sigkill_at_some_steps(
    tmp_path: Path,
    make_targets: Callable[[str], list[Target]],
    kinds: str,
    place: str,
    count: int,
    expected: str,
) -> None:
    targets = make_targets(kinds)
    ledger = tmp_path / "audit.db"
    plan_id = kill_at(ledger, place, count, targets)
    check(ledger, plan_id, targets, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "place", "count", "expected"), FULL)
def test_sigkill_at_every_step(
    tmp_path: Path,
    make_targets: Callable[[str], list[Target]],
    kinds: str,
    place: str,
    count: int,
    expected: str,
) -> None:
    targets = make_targets(kinds)
    ledger = tmp_path / "audit.db"
    plan_id = kill_at(ledger, place, count, targets)
    check(ledger, plan_id, targets, expected)


def test_a_living_system_waits_for_the_living_and_ends_what_the_dead_left(
    tmp_path: Path, make_targets: Callable[[str], list[Target]]
) -> None:
    """A live process's apply is never seized; once it is dead, the next look puts it right."""
    targets = make_targets("git")
    ledger = tmp_path / "audit.db"
    hold = ledger.with_name("audit.db.hold")
    hold.touch()
    with AuditSystem.open(ledger) as system:
        child = start_child("tests.crash.applying", ledger, "never", 0, targets[0].path)
        assert child.stdout is not None
        plan_id = child.stdout.readline().strip()
        applying = ledger.with_name("audit.db.sandboxes") / f"{plan_id}.applying" / "scratch-0"
        wait_until(lambda: (applying / "new name").exists())
        assert system._recoverer is not None
        for _ in range(2):
            system._recoverer.look()
            assert system._services is not None
            system._services.wait_caught_up()
        assert system.plans.get(plan_id).get(timeout=WAIT_S).phase is Phase.APPLY
        assert applying.exists()
        child.kill()
        child.communicate(timeout=WAIT_S)
        system._recoverer.look()
        wait_until(lambda: system.plans.get(plan_id).get(timeout=WAIT_S).phase is Phase.ERRORED)
    check(ledger, plan_id, targets, FAILED)
