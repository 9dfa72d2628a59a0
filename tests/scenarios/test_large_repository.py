"""Many plans on a large repository: the project becomes what git alone makes of it."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pykka import Future

from minutebook.actors import AuditSystem
from minutebook.domain import (
    ValidationFailed,
    WorkFailed,
    bind,
)
from minutebook.domain.errors import MergeConflict, PlanConstrained
from minutebook.domain.state import Applied
from tests.scenarios import large_repository
from tests.scenarios.large_repository import (
    Mirror,
    Size,
    git,
    line,
    make_repository,
    numstat,
    some_edits,
)
from tests.scenarios.stories import read

WAIT_S = 300.0

FATES = ("applied", "applied", "applied", "applied", "fails", "refused", "cancelled", "too large")
"""What is to become of a plan, if it meets no conflict."""


class Crew:
    """Runs plans in rounds: of each, the works at the same time, then the applies."""

    def __init__(self, system: AuditSystem, project: Path, specs: Path, chance: random.Random):
        self.system = system
        self.project = project
        self.specs = specs
        self.chance = chance
        self.edits: dict[str, list[dict[str, Any]]] = {}
        self.bases: dict[str, str] = {}
        self.ends: Counter[str] = Counter()

    def round(self, fates: list[str], size: Size) -> None:
        """Take some plans to their ends."""
        plans, apply = self.system.plans, self.system.apply
        working: list[tuple[str, str, Future[Any]]] = []
        for fate in fates:
            plan = plans.create(action=fate, project=self.project).get(timeout=WAIT_S)
            plans.strategize(plan.plan_id, strategy="at random").get(timeout=WAIT_S)
            number = len(self.edits)
            edits = some_edits(number, size, self.chance)
            spec = self.specs / f"{number}.json"
            spec.write_text(json.dumps(edits))
            self.edits[plan.plan_id] = edits
            exit_code = "1" if fate == "fails" else "0"
            command = [sys.executable, large_repository.__file__, str(spec), exit_code]
            limit = 10 if fate == "too large" else None
            future = apply.execute(plan.plan_id, command, files_max=limit)
            working.append((plan.plan_id, fate, future))
        applying: list[tuple[str, Future[Applied]]] = []
        for plan_id, fate, future in working:
            error = {"fails": WorkFailed, "too large": PlanConstrained}.get(fate)
            if error is not None:
                with pytest.raises(error):
                    future.get(timeout=WAIT_S)
                self.ends[error.__name__] += 1
                continue
            self.bases[plan_id] = str(future.get(timeout=WAIT_S).sandbox.commit)
        ready = [(plan_id, fate) for plan_id, fate, _ in working if plan_id in self.bases]
        self.chance.shuffle(ready)
        for plan_id, fate in ready:
            if fate == "cancelled":
                plans.cancel(plan_id, reason="by chance").get(timeout=WAIT_S)
                self.ends["cancelled"] += 1
                continue
            validations = [["false"]] if fate == "refused" else []
            applying.append((plan_id, apply.apply(plan_id, validations=validations)))
            if self.chance.random() < 0.5:
                self._finish(applying)
        self._finish(applying)

    def _finish(self, applying: list[tuple[str, Future[Applied]]]) -> None:
        for _, future in applying:
            try:
                future.get(timeout=WAIT_S)
            except (MergeConflict, ValidationFailed) as error:
                self.ends[type(error).__name__] += 1
            else:
                self.ends["applied"] += 1
        applying.clear()


def compare(crew: Crew, mirror: Mirror, entries: list[dict[str, Any]]) -> None:
    """Do the same merges with git, in the order in which they were done, and compare all."""
    ends = [entry for entry in entries if entry["type"] == "plan.apply_completed"]
    done = {e["payload"]["commit_before"]: e for e in ends if e["outcome"] == "success"}
    changed: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["type"] == "resource.modified":
            changed.setdefault(entry["plan_id"], {})[entry["payload"]["resource"]] = entry[
                "payload"
            ]
    applied = {entry["plan_id"]: entry for entry in entries if entry["type"] == "plan.applied"}
    head = next(iter(mirror.commits))
    waiting = dict(crew.bases)
    for _ in range(len(done) + 1):
        for plan_id, base in list(waiting.items()):
            if base in mirror.commits:
                mirror.branch(plan_id, base, crew.edits[plan_id])
                del waiting[plan_id]
        if head not in done:
            break
        entry = done[head]
        plan_id, payload = entry["plan_id"], entry["payload"]
        after = payload["commit_after"]
        # A plan that changed nothing leaves the project's commit.
        assert after != head
        assert mirror.merge(plan_id, head, after) == []
        assert line(crew.project, "rev-parse", f"{after}^{{tree}}") == mirror.tree(after)
        counted = numstat(crew.project, head, after)
        told = {
            name: (file["lines_added"], file["lines_removed"])
            for name, file in changed[plan_id].items()
        }
        assert told == {name: counted.get(name, (0, 0)) for name in told}
        assert set(counted) <= set(told)
        sums = [sum(pair[at] or 0 for pair in counted.values()) for at in (0, 1)]
        for said in (payload, applied[plan_id]["payload"]):
            assert [said["lines_added"], said["lines_removed"]] == sums
            assert said["files_changed"] == len(told)
        head = after
    assert line(crew.project, "rev-parse", "HEAD") == head
    assert not waiting
    for entry in ends:
        if entry["outcome"] == "failure":
            conflicts = mirror.merge(entry["plan_id"], entry["payload"]["commit_before"])
            told_paths = {conflict["path"] for conflict in entry["payload"]["conflicts"]}
            assert told_paths == set(conflicts), entry
            assert bool(conflicts) == (entry["outcome_reason"] == "MergeConflict")


def nothing_is_left(system: AuditSystem, project: Path, sandboxes: Path) -> None:
    assert system.sandboxes.list().get(timeout=WAIT_S) == ()
    assert system.sandboxes.orphans().get(timeout=WAIT_S) == ()
    assert not any(sandboxes.iterdir())
    assert line(project, "branch", "--format=%(refname)") == "refs/heads/main"
    assert git(project, "worktree", "list", "--porcelain").stdout.count(b"worktree ") == 1
    assert git(project, "status", "--porcelain", "--ignored").stdout == b""
    assert git(project, "fsck", "--no-dangling", "--no-progress").stderr == b""
    for process in Path("/proc").glob("[0-9]*/cwd"):
        try:
            where = os.readlink(process)  # noqa: PTH115 - of a directory that may be gone
        except OSError:
            continue
        assert not where.startswith(str(sandboxes)), process


def run(place: Path, size: Size, seed: int) -> Counter[str]:
    chance = random.Random(seed)
    project, specs = place / "project", place / "specs"
    specs.mkdir()
    make_repository(project, size, chance)
    assert int(line(project, "rev-list", "--count", "HEAD")) == size.commits
    assert len(git(project, "ls-files").stdout.splitlines()) == size.files
    mirror = Mirror(project, place / "mirror")
    fates = [FATES[number % len(FATES)] for number in range(size.plans)]
    chance.shuffle(fates)
    with AuditSystem.open(place / "audit.db") as system, bind(identity="alice"):
        crew = Crew(system, project, specs, chance)
        while fates:
            count = min(len(fates), chance.randrange(3, 7))
            crew.round([fates.pop() for _ in range(count)], size)
        nothing_is_left(system, project, place / "audit.db.sandboxes")
    compare(crew, mirror, read(place / "audit.db"))
    return crew.ends


def test_a_sample_of_plans_makes_what_git_alone_would(tmp_path: Path) -> None:
    ends = run(tmp_path, Size(files=100, commits=10, plans=6), seed=5)
    assert ends.total() == 6
    assert min(ends["applied"], ends["MergeConflict"]) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_plans_on_a_large_repository_make_what_git_alone_would(
    tmp_path: Path, record_property: Any
) -> None:
    started = time.monotonic()
    size = Size(files=2_000, commits=500, plans=50)
    ends = run(tmp_path, size, seed=1)
    record_property("seconds", round(time.monotonic() - started, 1))
    print(size, dict(ends), f"{time.monotonic() - started:.1f} s")
    assert ends.total() == size.plans
    assert min(ends[end] for end in ("applied", "MergeConflict", "ValidationFailed")) > 0
    assert min(ends[end] for end in ("WorkFailed", "PlanConstrained", "cancelled")) > 0
