"""Steps that many tests of plans have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minutebook.domain.state import Applied, Execution, Plan
from tests.actors.project import Project
from tests.actors.stage import WAIT_S, Stage, Workshop


def ready(workshop: Workshop, project: Project, action: str = "do it") -> str:
    """Id of a new plan that can be executed."""
    plan = workshop.plans.create(action=action, project=project.path).get(timeout=WAIT_S)
    workshop.plans.strategize(plan.plan_id, strategy="so").get(timeout=WAIT_S)
    return plan.plan_id


def execute(workshop: Workshop, plan_id: str, work: Any) -> Execution:
    """Run a plan's work to its end."""
    return workshop.apply.execute(plan_id, work).get(timeout=WAIT_S)


def apply(workshop: Workshop, plan_id: str, *validations: Sequence[str]) -> Applied:
    """Apply a plan."""
    return workshop.apply.apply(plan_id, validations=validations).get(timeout=WAIT_S)


def known(workshop: Workshop, plan_id: str) -> Plan:
    """What is known of a plan."""
    return workshop.plans.get(plan_id).get(timeout=WAIT_S)


def nothing_is_left(stage: Stage, project: Project) -> None:
    """Fail unless every sandbox, branch and work tree of plans is gone."""
    assert not stage.sandbox_directory.exists() or not any(stage.sandbox_directory.iterdir())
    assert project.branches() == ["main"]
    assert project.worktrees() == 1
