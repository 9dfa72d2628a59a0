"""PlanApplyActor: several plans at a time, a restart, and the end of the system."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from pykka import Timeout

from minutebook.domain.errors import (
    WorkFailed,
)
from tests.actors import works
from tests.actors.planning import apply, execute, nothing_is_left, ready
from tests.actors.project import Project, eventually
from tests.actors.stage import WAIT_S, Stage, Workshop

PASSES = (sys.executable, "-c", "import os; assert os.path.exists('new.txt')")
FAILS = (sys.executable, "-c", "print('three tests failed'); raise SystemExit(3)")


@pytest.mark.parametrize("projects", [1, 2])
def test_plans_side_by_side(
    stage: Stage, workshop: Workshop, project: Project, tmp_path: Path, projects: int
) -> None:
    places = [project, Project(tmp_path / "other")][:projects]
    plans = [ready(workshop, places[number % projects]) for number in range(4)]
    running = [workshop.apply.execute(plan_id, works.add_one) for plan_id in plans]
    for future in running:
        assert future.get(timeout=WAIT_S).files_changed == 1
    applying = [workshop.apply.apply(plan_id) for plan_id in plans]
    applied = [future.get(timeout=WAIT_S) for future in applying]

    assert all(result.files_changed == 1 for result in applied)
    for number, plan_id in enumerate(plans):
        assert (places[number % projects].path / f"added-{plan_id}.txt").exists()
    for place in places:
        nothing_is_left(stage, place)
        assert place.git("status", "--porcelain") == b""
    by_plan = {e.plan_id: e.payload["resource"] for e in stage.entries("resource.modified")}
    assert by_plan == {plan_id: f"added-{plan_id}.txt" for plan_id in plans}


def test_what_another_apply_moves_makes_no_project_dirty(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    """Another process is amid its move: who makes a plan waits for its end."""
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    database = stage.database()
    (project.path / "README.md").write_text("half of it\n")
    database.execute(
        "INSERT INTO intents (intent_id, producer, actor, kind, binding, detail, created_at)"
        " VALUES ('i', 'other', 'apply', 'moving', '{}', ?, 0)",
        (json.dumps({"plan_id": "p", "paths": [str(project.path)]}),),
    )
    asked = (
        workshop.plans.create(action="a", project=project.path),
        workshop.apply.apply(plan_id),
    )
    for future in asked:
        with pytest.raises(Timeout):
            future.get(timeout=0.1)
    project.git("checkout", "-q", "README.md")
    database.execute("DELETE FROM intents WHERE intent_id = 'i'")
    database.close()
    for future in asked:
        future.get(timeout=WAIT_S)


def test_an_executed_plan_is_applied_after_a_restart(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    stage.stop_services()
    assert apply(stage.workshop(), plan_id, PASSES).files_changed == 2
    assert stage.types()[-1] == "sandbox.released"


def test_stopping_while_work_runs_ends_its_plan(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    before = project.state()
    plan_ids = [ready(workshop, project) for _ in range(2)]
    running = [workshop.apply.execute(plan_id, works.wait_for_go) for plan_id in plan_ids]
    for plan_id in plan_ids:
        eventually((stage.sandbox_directory / plan_id / "late.txt").exists)
    stage.stop_services()
    for future in running:
        with pytest.raises(WorkFailed, match="the audit system was closed"):
            future.get(timeout=WAIT_S)
    errored = {entry.plan_id: entry.payload for entry in stage.entries("plan.errored")}
    assert set(errored) == set(plan_ids)
    assert len(stage.entries("sandbox.released")) == 2
    assert project.state() == before


def test_stopping_while_a_validation_runs_leaves_the_project_as_it_was(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    before = project.state()
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    mark = stage.directory / "validating"
    applying = workshop.apply.apply(
        plan_id, validations=[["sh", "-c", f"touch '{mark}'; sleep 600"]]
    )
    eventually(mark.exists)
    stage.stop_services()
    with pytest.raises(WorkFailed, match="the audit system was closed"):
        applying.get(timeout=WAIT_S)
    assert project.state() == before
    nothing_is_left(stage, project)
    assert stage.only("plan.errored").payload["phase"] == "apply"
    completed = stage.only("plan.apply_completed")
    assert completed.outcome == "failure"
    (only,) = completed.payload["validations"]
    assert (only["passed"], only["exit_code"]) == (False, None)
