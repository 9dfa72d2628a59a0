"""Whatever a plan holds, whoever fails: nothing is left but what the entry names.

Each run makes a family of plans and brings them into random phases, with real git worktrees,
copied directories, processes and threads. Its holders fail in random ways. Then its plans are
cancelled in random order by several threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.git.worktree import BRANCH_PREFIX
from minutebook.domain.context import bind
from minutebook.domain.errors import IllegalTransition, MinutebookError
from minutebook.domain.events import CancelPolicy
from minutebook.domain.plan import Phase, is_ended
from minutebook.domain.resources import HeldResource
from minutebook.domain.state import Cancellation
from tests.actors import works
from tests.actors.holders import Shelf
from tests.actors.planning import known
from tests.actors.project import Project, eventually, is_running
from tests.actors.stage import WAIT_S, Stage, Workshop

SHELVES = ("red", "green", "blue")

Key = tuple[str, str]


class Run:
    """One family, from its making to its end."""

    def __init__(
        self, stage: Stage, workshop: Workshop, project: Project, folder: Path, seed: int
    ) -> None:
        self.stage = stage
        self.workshop = workshop
        self.project = project
        self.folder = folder
        self.chance = random.Random(seed)
        self.gate = threading.Event()
        self.faults: dict[str, str] = {}
        self.plans: list[str] = []
        self.to_apply: list[str] = []
        self.futures: dict[str, Any] = {}
        self.pids: dict[str, list[int]] = {}
        self.foreign: list[Path] = []
        self.answers: dict[str, list[Cancellation]] = defaultdict(list)
        self.hangs = self.chance.random() < 0.4

    def fault_of(self, resource: HeldResource) -> None:
        """What a shelf does before it releases something."""
        fault = self.faults.get(f"{resource.owner}/{resource.plan_id}")
        if fault == "raise":
            raise OSError("stuck")
        if fault == "die":
            raise SystemExit("gone")
        if fault == "hang":
            assert self.gate.wait(WAIT_S)

    # -- making them ----------------------------------------------------------

    def make(self) -> None:
        for _ in range(self.chance.randint(2, 3)):
            parent = self.chance.choice([None, *self.plans]) if self.plans else None
            where = self.folder if self.chance.random() < 0.25 else self.project.path
            with bind(identity="alice"):
                plan = self.workshop.plans.create(
                    action="a", project=where, parent_plan_id=parent
                ).get(timeout=WAIT_S)
            self.plans.append(plan.plan_id)
            for shelf in SHELVES:
                faults = ["", "", "", "raise", "die", *(["hang"] if self.hangs else [])]
                self.faults[f"{shelf}/{plan.plan_id}"] = self.chance.choice(faults)
            if self.chance.random() < 0.3:
                with bind(plan_id=plan.plan_id):
                    self.stage.sessions_service.create(actor_name="a").get(timeout=WAIT_S)
        for plan_id in self.plans:
            self.bring_on(plan_id)
        # Last of all: what begins while a project is moved finds it dirty.
        for plan_id in self.to_apply:
            command = ["sleep", f"0.{self.chance.randint(0, 9)}"]
            self.futures[plan_id] = self.workshop.apply.apply(plan_id, validations=[command])

    def bring_on(self, plan_id: str) -> None:
        """Into a random phase."""
        phase = self.chance.choice(["action", "ready", "starting", "working", "working", "done"])
        if phase == "action":
            return
        self.workshop.plans.strategize(plan_id, strategy="s").get(timeout=WAIT_S)
        if phase == "ready":
            return
        sandbox = self.stage.sandbox_directory / plan_id
        if phase in ("starting", "working"):
            self.futures[plan_id] = self.workshop.apply.execute(plan_id, works.brood)
        if phase == "working":
            eventually((sandbox / works.PIDS).exists)
            self.pids[plan_id] = [int(pid) for pid in (sandbox / works.PIDS).read_text().split()]
            if self.chance.random() < 0.15 and (sandbox / ".git").is_file():
                # Whose this is cannot be told any more: it is to be left alone, and named.
                (sandbox / ".git").write_text("gitdir: /nowhere\n")
                self.foreign.append(sandbox)
        if phase == "done":
            self.workshop.apply.execute(plan_id, works.add_one).get(timeout=WAIT_S)
            if self.chance.random() < 0.6:
                self.to_apply.append(plan_id)

    # -- cancelling them ------------------------------------------------------

    def cancel(self) -> None:
        orders = [self.chance.sample(self.plans, len(self.plans)) for _ in range(3)]
        policies: list[CancelPolicy] = ["wait", "rollback"]
        policy = self.chance.choice(policies)
        deadline = 1.0 if self.hangs else 30.0

        def cancel_all(order: list[str]) -> None:
            for plan_id in order:
                with bind(identity="bob"):
                    asked = self.workshop.plans.cancel(
                        plan_id, reason="r", deadline=deadline, policy=policy
                    )
                    try:
                        self.answers[plan_id].append(asked.get(timeout=WAIT_S))
                    except IllegalTransition:
                        assert is_ended(known(self.workshop, plan_id).phase)

        threads = [threading.Thread(target=cancel_all, args=(order,)) for order in orders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()

    # -- what must hold -------------------------------------------------------

    def check(self) -> None:
        entries = defaultdict(list)
        for entry in self.stage.entries("plan.cancelled"):
            entries[entry.plan_id].append(entry)
        named: dict[str, set[Key]] = {}
        for plan_id in self.plans:
            plan = known(self.workshop, plan_id)
            answers = self.answers[plan_id]
            assert len(entries[plan_id]) == (1 if answers else 0), plan
            if not answers:
                # What it held is given back by its apply.
                assert plan.phase in (Phase.APPLIED, Phase.ERRORED)
                self.wait_for(plan_id)
                continue
            assert all(answer == answers[0] for answer in answers)
            (entry,) = entries[plan_id]
            assert entry.id == answers[0].entry_id
            applied = entry.payload["apply_outcome"] == "applied"
            assert plan.phase is (Phase.APPLIED if applied else Phase.CANCELLED)
            named[plan_id] = self.check_entry(plan_id, entry.payload)
        self.check_nothing_else_is_left(named)

    def check_entry(self, plan_id: str, payload: dict[str, Any]) -> set[Key]:
        """What was held is what is named; return what it names as not released."""
        parts: list[set[Key]] = [
            {(held["kind"], held["id"]) for held in payload[part]}
            for part in ("released", "failed", "pending")
        ]
        assert sum(map(len, parts)) == len(set.union(*parts))
        rows = self.stage.database().rows(
            "SELECT kind, id FROM cancelled_resources WHERE plan_id = ?", (plan_id,)
        )
        released, failed, pending = parts
        assert released | failed | pending == {(row["kind"], row["id"]) for row in rows}
        for shelf in SHELVES:
            key = ("shelf", f"{shelf} thing")
            fault = self.faults[f"{shelf}/{plan_id}"]
            assert key in (failed if fault in ("raise", "die") else released | pending), fault
            if not self.hangs:
                assert key not in pending
        for pid in self.pids.get(plan_id, ()):
            assert ("process", str(pid)) in released | pending
        if payload["apply_outcome"] == "none" and self.hangs is False:
            assert pending == set()
        return failed | pending

    def check_nothing_else_is_left(self, named: dict[str, set[Key]]) -> None:
        kept = set().union(*named.values()) if named else set()
        paths = {name for kind, name in kept if kind in ("git_worktree", "directory", "temp_file")}
        listed = self.project.git("worktree", "list", "--porcelain").decode().splitlines()
        trees = {line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")}
        assert trees - {str(self.project.path)} <= paths
        branches = {name for name in self.project.branches() if name.startswith(BRANCH_PREFIX)}
        assert branches <= {name for kind, name in kept if kind == "git_branch"}
        for plan_id, pids in self.pids.items():
            if ("process", str(pids[0])) not in named.get(plan_id, set()):
                assert not any(is_running(pid) for pid in pids)
        for path in self.stage.sandbox_directory.iterdir():
            assert any(str(path).startswith(left) for left in paths), path

    def wait_for(self, plan_id: str) -> None:
        """Until its work, or its apply, has ended."""
        with contextlib.suppress(MinutebookError):
            self.futures[plan_id].get(timeout=WAIT_S)

    def end(self) -> None:
        """Late answers come; then nothing is left but what failed for good."""
        self.gate.set()
        for plan_id in self.futures:
            self.wait_for(plan_id)
        failed = {
            held["id"]
            for entry in self.stage.entries("plan.cancelled")
            for held in entry.payload["failed"]
        }
        rows = self.stage.database().rows("SELECT id FROM cancelled_resources WHERE state='failed'")
        assert {str(path) for path in self.foreign} <= failed | {row["id"] for row in rows}
        pending = "SELECT 1 FROM cancelled_resources WHERE state NOT IN ('released', 'failed')"
        eventually(lambda: self.stage.database().rows(pending) == [])
        late = {entry.id for entry in self.stage.entries("plan.cancelled")}
        for entry in self.stage.entries("resource.released", "resource.release_failed"):
            assert entry.causation_id in late
        for path in self.foreign:
            for name in (f"{path.name}", f"{path.name}.sandbox.json"):
                (path.parent / name).rename(path.parent.parent / f"gone-{name}")
            self.project.git("worktree", "prune", "--expire=now")
            self.project.git("branch", "-q", "-D", BRANCH_PREFIX + path.name)
        left = [path.name for path in self.stage.sandbox_directory.iterdir()]
        assert left == []
        assert self.project.branches() == ["main"]
        assert self.project.worktrees() == 1
        for pids in self.pids.values():
            assert not any(is_running(pid) for pid in pids)
        self.check_projects()

    def check_projects(self) -> None:
        """The trees prove what became of each apply."""
        assert self.project.git("status", "--porcelain") == b""
        for plan_id in self.plans:
            plan = known(self.workshop, plan_id)
            where = Path(plan.project_path)
            # Of a plan that was applied to its end before it was to be cancelled, too.
            is_there = (where / f"added-{plan_id}.txt").exists()
            assert is_there == (plan.phase is Phase.APPLIED)


# In parts: none shall take so long that it looks like a hang.
PARTS = [
    pytest.param(3, id="sample"),
    *(pytest.param(10, id=f"part-{number}", marks=pytest.mark.slow) for number in range(20)),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("runs", PARTS)
def test_nothing_is_left_but_what_the_entry_names(
    stage: Stage, workshop: Workshop, project: Project, tmp_path: Path, runs: int
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file.txt").write_text("a\n")
    # The first family may need none.
    stage.sandbox_directory.mkdir(mode=0o700)
    current: list[Run] = []
    for name in SHELVES:
        stage.holders.register(
            Shelf(name, f"{name} thing", at_release=lambda held: current[-1].fault_of(held))
        )
    first = int(os.environ.get("CANCEL_SEED", random.randrange(2**32)))
    for seed in range(first, first + runs):
        print(json.dumps({"seed": seed}), flush=True)
        run = Run(stage, workshop, project, folder, seed)
        current.append(run)
        try:
            run.make()
            run.cancel()
            run.check()
        finally:
            run.gate.set()
        run.end()
