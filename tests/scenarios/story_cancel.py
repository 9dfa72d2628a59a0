"""A plan that holds all that there is to hold is cancelled, and one thing cannot be given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain import WorkFailed, bind
from tests.actors import works
from tests.actors.holders import Shelf, refuse
from tests.actors.project import Project, eventually

WAIT_S = 60.0


def story(system: AuditSystem, project: Project) -> None:
    """What a host does."""
    system.register_holder(Shelf("shelf", "book"))
    system.register_holder(Shelf("wall", "picture", at_release=refuse))
    plans = system.plans
    with bind(identity="alice"):
        parent = plans.create(action="Sort", project=project.path).get(timeout=WAIT_S)
        part = plans.create(
            action="Count", project=project.path, parent_plan_id=parent.plan_id
        ).get(timeout=WAIT_S)
        plans.strategize(parent.plan_id, strategy="by colour").get(timeout=WAIT_S)
        with bind(plan_id=parent.plan_id):
            system.sessions.create(actor_name="agent").get(timeout=WAIT_S)
        running = system.apply.execute(parent.plan_id, works.wait_for_go)
    sandbox = Path(f"{system.path}.sandboxes", parent.plan_id)
    eventually((sandbox / "late.txt").exists)
    with bind(identity="bob"):
        cancelled = plans.cancel(parent.plan_id, reason="enough").get(timeout=WAIT_S)
        with pytest.raises(WorkFailed):
            running.get(timeout=WAIT_S)
    assert cancelled.child_plans.cancelled == (part.plan_id,)
    assert plans.cancellation(part.plan_id).get(timeout=WAIT_S).complete
