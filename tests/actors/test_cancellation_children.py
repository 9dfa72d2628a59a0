"""A plan is cancelled with all that are parts of it, each with an entry of its own."""

from __future__ import annotations

from typing import Any

import pytest

from minutebook.domain.context import bind
from minutebook.domain.errors import IllegalTransition, WorkFailed
from minutebook.domain.plan import Phase
from tests.actors import works
from tests.actors.holders import Gate, Shelf
from tests.actors.planning import known, nothing_is_left, ready
from tests.actors.project import Project, eventually
from tests.actors.stage import WAIT_S, Stage, Workshop


def child_of(workshop: Workshop, project: Project, parent: str) -> str:
    plan = workshop.plans.create(action="a part", project=project.path, parent_plan_id=parent).get(
        timeout=WAIT_S
    )
    workshop.plans.strategize(plan.plan_id, strategy="so").get(timeout=WAIT_S)
    return plan.plan_id


def begin(workshop: Workshop, stage: Stage, plan_id: str) -> Any:
    running = workshop.apply.execute(plan_id, works.wait_for_go)
    eventually((stage.sandbox_directory / plan_id / "late.txt").exists)
    return running


def test_three_generations_end_together(stage: Stage, workshop: Workshop, project: Project) -> None:
    top = ready(workshop, project)
    middle = child_of(workshop, project, top)
    bottom = child_of(workshop, project, middle)
    completed, failed, idle = (child_of(workshop, project, top) for _ in range(3))
    workshop.apply.execute(completed, works.add_one).get(timeout=WAIT_S)
    workshop.apply.apply(completed).get(timeout=WAIT_S)
    with pytest.raises(WorkFailed):
        workshop.apply.execute(failed, ["false"]).get(timeout=WAIT_S)
    running = [begin(workshop, stage, plan_id) for plan_id in (top, bottom)]
    with bind(identity="carol"):
        cancelled = workshop.plans.cancel(top, reason="enough").get(timeout=WAIT_S)
    for future in running:
        with pytest.raises(WorkFailed):
            future.get(timeout=WAIT_S)

    entries = {entry.plan_id: entry for entry in stage.entries("plan.cancelled")}
    assert set(entries) == {top, middle, bottom, idle}
    assert entries[top].payload["child_plans"] == {
        "completed": [completed],
        "cancelled": [middle, bottom, idle],
        "failed": [failed],
    }
    assert entries[middle].payload["child_plans"]["cancelled"] == [bottom]
    causes = {plan_id: entry.causation_id for plan_id, entry in entries.items()}
    assert causes == {
        top: None,
        middle: entries[top].id,
        idle: entries[top].id,
        bottom: entries[middle].id,
    }
    kinds = [held.kind for held in cancelled.released]
    assert kinds.count("child_plan") == 2
    assert {held.id for held in cancelled.released[:2]} == {middle, idle}
    # What a child gave back counts for it there.
    of_bottom = entries[bottom].payload["released"]
    (of_child,) = [held for held in cancelled.released if held.id == middle]
    assert of_child.bytes == sum(held["bytes"] for held in of_bottom) > 0
    assert all(entry.user_identity == "carol" for entry in entries.values())
    assert f"plan {top}, of which it is a part" in entries[middle].payload["reason"]
    nothing_is_left(stage, project)
    with pytest.raises(IllegalTransition):
        child_of(workshop, project, top)


def test_a_child_that_hangs_is_pending_for_its_parent_only_as_long_as_it_must(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    """It gives up before its parent does, and says why."""
    gate = Gate()
    top = ready(workshop, project)
    child = child_of(workshop, project, top)
    stage.holders.register(
        Shelf("slow", "thing", at_release=lambda held: gate() if held.plan_id == child else None)
    )
    cancelled = workshop.plans.cancel(top, reason="r", deadline=2).get(timeout=WAIT_S)
    assert cancelled.pending == ()
    assert {held.kind for held in cancelled.released} == {"child_plan", "shelf"}
    assert cancelled.child_plans.cancelled == (child,)
    below = workshop.plans.cancellation(child).get(timeout=WAIT_S)
    assert [held.id for held in below.pending] == ["thing"]
    gate.open()
    eventually(lambda: len(stage.entries("resource.released")) == 2)


def test_a_child_alone_leaves_its_parent_as_it_is(workshop: Workshop, project: Project) -> None:
    top = ready(workshop, project)
    child = child_of(workshop, project, top)
    workshop.plans.cancel(child, reason="r").get(timeout=WAIT_S)
    assert known(workshop, top).phase is Phase.STRATEGIZE
    cancelled = workshop.plans.cancel(top, reason="r").get(timeout=WAIT_S)
    assert cancelled.released == ()
    assert cancelled.child_plans.cancelled == (child,)
