"""PlanApplyActor: an apply that fails leaves the project as it was."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from minutebook.domain.errors import (
    IllegalTransition,
    MergeConflict,
    ProjectDirty,
    ProjectMissing,
    UnimportableWork,
    ValidationFailed,
)
from minutebook.domain.plan import Phase
from tests.actors import works
from tests.actors.planning import apply, execute, known, nothing_is_left, ready
from tests.actors.project import Project
from tests.actors.stage import WAIT_S, Stage, Workshop

PASSES = (sys.executable, "-c", "import os; assert os.path.exists('new.txt')")
FAILS = (sys.executable, "-c", "print('three tests failed'); raise SystemExit(3)")


def failed_apply(stage: Stage, workshop: Workshop, project: Project, plan_id: str) -> Any:
    """What is true of every apply that failed; returns the payload of its record."""
    nothing_is_left(stage, project)
    assert known(workshop, plan_id).phase is Phase.ERRORED
    assert stage.types()[-4:] == [
        "plan.apply_completed",
        "plan.phase_changed",
        "plan.errored",
        "sandbox.released",
    ]
    entry = stage.only("plan.apply_completed")
    assert (entry.outcome, entry.severity, entry.plan_id) == ("failure", "error", plan_id)
    assert entry.payload["commit_after"] is None
    assert entry.payload["files_changed"] == 0
    errored = stage.only("plan.errored")
    assert errored.payload["error_type"] == entry.outcome_reason
    assert errored.payload["phase"] == "apply"
    assert stage.entries("resource.modified", "plan.applied") == []
    return entry.payload


def test_a_conflict_leaves_the_project_as_it_was(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    project.commit({"README.md": b"one\nTHEIRS\nthree\n"})
    branch = f"minutebook/{plan_id}"
    before = project.state()
    with pytest.raises(MergeConflict, match=r"README\.md") as raised:
        apply(workshop, plan_id)
    assert raised.value.paths == ("README.md",)
    payload = failed_apply(stage, workshop, project, plan_id)
    (conflict,) = payload["conflicts"]
    assert (conflict["path"], conflict["kind"]) == ("README.md", "content")
    assert payload["commit_before"] == project.head
    after = project.state()
    assert branch.encode() in before[3]  # type: ignore[operator]
    assert [after[n] for n in (0, 1, 2, 5, 6)] == [before[n] for n in (0, 1, 2, 5, 6)]


def test_a_validation_that_fails_leaves_the_project_as_it_was(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    before = project.state()
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    with pytest.raises(ValidationFailed, match=r"exit code 3: three tests failed"):
        apply(workshop, plan_id, PASSES, FAILS, PASSES)
    assert project.state() == before
    payload = failed_apply(stage, workshop, project, plan_id)
    ran = [(v["command"], v["passed"], v["exit_code"]) for v in payload["validations"]]
    assert ran == [(list(PASSES), True, 0), (list(FAILS), False, 3)]


def test_a_validation_over_its_time_is_stopped(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    before = project.state()
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    asked = workshop.apply.apply(plan_id, validations=[["sleep", "600"]], validation_timeout=0.2)
    with pytest.raises(ValidationFailed, match=r"ran over its limit of 0\.2 s"):
        asked.get(timeout=WAIT_S)
    assert project.state() == before
    payload = failed_apply(stage, workshop, project, plan_id)
    (only,) = payload["validations"]
    assert (only["passed"], only["exit_code"]) == (False, None)


def test_a_validation_that_cannot_be_run(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    wrongs: list[Any] = [["pytest -q"], [[]], [("a", 1)], [["a\0b"]]]
    for wrong in wrongs:
        with pytest.raises(UnimportableWork, match="give"):
            workshop.apply.apply(plan_id, validations=wrong)
    assert known(workshop, plan_id).phase is Phase.EXECUTE
    with pytest.raises(ValidationFailed, match="exit code 127"):
        apply(workshop, plan_id, ["no-such-program-at-all"])
    failed_apply(stage, workshop, project, plan_id)


def test_a_dirty_project_is_refused_and_can_be_applied_to_when_clean(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    told = stage.types()
    for name in ("tool.sh", "untracked.txt"):
        (project.path / name).write_text("mine\n")
        before = project.state()
        with pytest.raises(ProjectDirty, match=name):
            apply(workshop, plan_id)
        assert project.state() == before
        project.git("clean", "-fdq")
        project.git("checkout", "-q", ".")
    assert stage.types() == told
    assert apply(workshop, plan_id).files_changed == 2


def test_a_project_that_gets_dirty_while_it_is_validated_is_not_touched(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    before = project.head
    with pytest.raises(ProjectDirty):
        apply(workshop, plan_id, ["sh", "-c", f"echo mine > '{project.path}/README.md'"])
    assert project.head == before
    assert (project.path / "README.md").read_text() == "mine\n"
    project.git("checkout", "-q", ".")
    failed_apply(stage, workshop, project, plan_id)


def test_a_project_that_is_gone(stage: Stage, workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    project.path.rename(project.path.with_name("moved"))
    with pytest.raises(ProjectMissing):
        apply(workshop, plan_id)
    assert stage.entries("plan.apply_completed") == []


def test_a_plan_is_applied_once(stage: Stage, workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    apply(workshop, plan_id)
    told = stage.types()
    with pytest.raises(IllegalTransition, match="it has ended; create a new plan"):
        apply(workshop, plan_id)
    assert stage.types() == told
