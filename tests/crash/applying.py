"""A process that applies a plan, and kills itself at a chosen place.

``python -m tests.crash.applying LEDGER PLACE COUNT PROJECT...``; it dies the COUNT-th time that
it comes to the PLACE.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minutebook.actors import AuditSystem, plan_merge, project_merge
from minutebook.actors.apply_ending import ApplyEnding
from minutebook.actors.apply_record import ApplyRecord
from minutebook.actors.moving import files
from minutebook.actors.moving.move import Move
from minutebook.actors.plan_apply import PlanApplyActor
from minutebook.actors.plan_lifecycle import PlanLifecycleActor
from minutebook.actors.sandbox_cleanup import SandboxCleanupActor
from minutebook.actors.work.context import WorkContext
from minutebook.domain import bind
from minutebook.domain.errors import ProjectError
from tests.crash.outboxing import WAIT_S, dying
from tests.moving.trees import change

PLACES: dict[str, tuple[Any, str]] = {
    "begin": (ApplyRecord, "begin"),
    "phase": (PlanApplyActor, "_begin"),
    "merge": (project_merge, "stage"),
    "validation": (plan_merge, "run_validation"),
    "report": (plan_merge, "write_report"),
    "step": (ApplyRecord, "step"),
    "move": (Move, "forth"),
    "file": (files._Way, "_place"),
    "undo": (Move, "back"),
    "finish": (ApplyEnding, "finish"),
    "plan's end": (PlanLifecycleActor, "complete_apply"),
    "release": (SandboxCleanupActor, "_take_away"),
    "abandon": (ApplyEnding, "abandon"),
    "drop": (ApplyRecord, "drop"),
}


def arm(place: str, count: int) -> None:
    """Set the trap: ``before ...`` or ``after ...`` one of the places."""
    when, _, what = place.partition(" ")
    if what.startswith("undo"):
        _let_moving_fail()
    owner, name = PLACES[what]
    setattr(owner, name, dying(getattr(owner, name), count, before=when == "before"))


def _let_moving_fail() -> None:
    forth: Callable[[Move], None] = Move.forth

    def failing(move: Move) -> None:
        forth(move)
        raise ProjectError("moved, and yet it fails; look at the test.")

    Move.forth = failing  # type: ignore[assignment, method-assign]


def work(context: WorkContext) -> None:
    """Change all projects."""
    for path in context.paths.values():
        change(Path(path))


def prepare(system: AuditSystem, projects: list[str]) -> str:
    """Bring a plan to where it can be applied."""
    plan_id = system.plans.create(action="do", projects=projects).get(timeout=WAIT_S).plan_id
    system.plans.strategize(plan_id, strategy="so").get(timeout=WAIT_S)
    system.apply.execute(plan_id, work).get(timeout=WAIT_S)
    return plan_id


if __name__ == "__main__":
    ledger, trap, times, *paths = sys.argv[1:]
    opened = AuditSystem.open(ledger)
    with bind(identity="alice"):
        applied = prepare(opened, paths)
        print(applied, flush=True)
        if trap != "never":
            arm(trap, int(times))
        test = ["sh", "-c", f"test ! -e {ledger}.hold || sleep 60"]
        opened.apply.apply(applied, validations=[test]).get(timeout=WAIT_S)
