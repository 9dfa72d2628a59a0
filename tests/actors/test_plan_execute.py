"""PlanApplyActor: a plan's work runs in a sandbox, and ends well or not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.base import Service
from minutebook.actors.plan_apply import Apply, PlanApplyActor
from minutebook.actors.plans import Plans
from minutebook.domain.context import bind
from minutebook.domain.errors import (
    IllegalTransition,
    InvalidCommand,
    ProjectDirty,
    ServiceFailure,
    UnimportableWork,
    WorkFailed,
)
from minutebook.domain.plan import Phase, ProcessingState
from tests.actors import works
from tests.actors.planning import execute, known, nothing_is_left, ready
from tests.actors.project import Project
from tests.actors.stage import SERVICE, Stage, Workshop


def test_work_runs_in_the_sandbox_and_leaves_the_project_alone(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project, "Write things")
    before = project.state()
    with bind(identity="Alice <alice@example.com>"):
        done = execute(workshop, plan_id, works.write)

    assert (done.files_changed, done.steps_done, done.output) == (2, 2, "written\n")
    assert done.sandbox.path == str(stage.sandbox_directory / plan_id)
    assert project.state()[0] == before[0]
    assert project.state()[2] == before[2]
    assert project.state()[6] == before[6]
    said = project.git("log", "-1", "--format=%an <%ae>|%s", done.changeset_id).decode().strip()
    assert said == "Alice <alice@example.com>|Write things"
    plan = known(workshop, plan_id)
    assert (plan.phase, plan.processing_state) == (Phase.EXECUTE, ProcessingState.COMPLETE)
    assert (plan.last_step, plan.steps_done, plan.steps_total) == ("create", 2, 2)
    assert (plan.changeset_id, plan.tool_name) == (done.changeset_id, "tests.actors.works:write")
    assert stage.types()[2:] == ["plan.phase_changed", "sandbox.created"]


def test_work_knows_for_whom_it_works(workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    with bind(identity="alice", session_id="s-1", correlation_id="req-1"):
        done = execute(workshop, plan_id, "tests.actors.works:tell_who")
    said = json.loads((Path(done.sandbox.path) / "who.json").read_text())
    assert said == {"identity": "alice", "session": "s-1", "request": "req-1"}


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (works.fail, "ValueError: no luck"),
        (works.leave, "exit code 7"),
        (works.die, "exit code -9"),
        ("tests.actors.works:no_such_function", "no_such_function"),
        ("no_such_module:function", "No module named 'no_such_module'"),
        ([sys.executable, "-c", "print('nope'); raise SystemExit(4)"], "exit code 4: nope"),
        (["no-such-program-at-all"], "could not be started"),
        ([sys.executable, "-c", "import os; os.mkdir('.git2'); os.kill(os.getpid(), 11)"], "-11"),
        (["git", "init", "-q", "inside"], "does not have a commit checked out"),
        (["git", "checkout", "-q", "--detach"], "left the sandbox"),
    ],
)
def test_work_that_fails_ends_the_plan_and_touches_nothing(
    stage: Stage, workshop: Workshop, project: Project, work: Any, said: str
) -> None:
    plan_id = ready(workshop, project)
    before = project.state()
    with bind(identity="alice"):
        with pytest.raises(Exception, match=said) as raised:
            execute(workshop, plan_id, work)

    assert project.state() == before
    nothing_is_left(stage, project)
    entry = stage.only("plan.errored")
    assert said in entry.payload["error"]
    assert entry.payload["error_type"] == entry.outcome_reason == type(raised.value).__name__
    assert entry.payload["phase"] == "execute"
    assert (entry.plan_id, entry.user_identity) == (plan_id, "alice")
    assert stage.types()[3:] == [
        "sandbox.created",
        "plan.phase_changed",
        "plan.errored",
        "sandbox.released",
    ]
    plan = known(workshop, plan_id)
    assert (plan.phase, plan.processing_state) == (Phase.ERRORED, ProcessingState.FAILED)
    assert plan.error == entry.payload["error"]


@pytest.mark.parametrize(
    "work",
    [
        works.fail_with_a_secret,
        # The name is far before what is kept of the output.
        [sys.executable, "-c", f"print('password=' + {works.SECRET!r} * 40); raise SystemExit(1)"],
    ],
)
def test_a_secret_that_failed_work_shows_is_nowhere(
    stage: Stage, workshop: Workshop, project: Project, work: Any
) -> None:
    plan_id = ready(workshop, project)
    with pytest.raises(WorkFailed, match=r"\[secret hmac-sha256:") as raised:
        execute(workshop, plan_id, work)
    assert works.SECRET not in str(raised.value)
    assert "[secret hmac-sha256:" in stage.only("plan.errored").payload["error"]
    for path in stage.directory.rglob("*"):
        assert not path.is_file() or works.SECRET.encode() not in path.read_bytes(), path


def test_the_steps_of_failed_work_are_kept(workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    with pytest.raises(WorkFailed):
        execute(workshop, plan_id, works.fail)
    plan = known(workshop, plan_id)
    assert (plan.last_step, plan.steps_done, plan.steps_total) == ("first", 1, 3)


def test_work_that_prints_a_lot_ends_and_its_last_words_are_kept(
    workshop: Workshop, project: Project
) -> None:
    done = execute(workshop, ready(workshop, project), works.chatter)
    assert done.output.endswith("line 199999\n")
    assert len(done.output) <= 64 * 1024


def test_work_that_no_child_could_find_is_refused_at_the_call(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    told = stage.types()
    for work in (lambda ctx: None, "no colon", [], [1], 7, Workshop):
        with pytest.raises(UnimportableWork):
            workshop.apply.execute(plan_id, work)  # type: ignore[arg-type]
    with pytest.raises(InvalidCommand, match="a path is text"):
        workshop.apply.execute(plan_id, ["true"], sandbox_directory=7)  # type: ignore[arg-type]
    assert stage.types() == told
    assert known(workshop, plan_id).phase is Phase.STRATEGIZE


def test_a_plan_is_executed_once(workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.nothing)
    with pytest.raises(IllegalTransition, match="from execute it may go to apply"):
        execute(workshop, plan_id, works.nothing)
    assert known(workshop, plan_id).phase is Phase.EXECUTE


def test_a_project_that_became_dirty_ends_the_execution(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    (project.path / "untracked.txt").write_text("mine\n")
    with pytest.raises(ProjectDirty):
        execute(workshop, plan_id, works.write)
    assert stage.only("plan.errored").payload["error_type"] == "ProjectDirty"
    assert stage.entries("sandbox.created", "sandbox.release_failed") == []


def test_an_unexpected_error_ends_the_plan_too(stage: Stage, project: Project) -> None:
    lifecycle = stage.plans()

    def broken(_: object) -> Any:
        raise ZeroDivisionError("surprise")

    parts = (Service(lifecycle).ask, broken, stage.sandbox_directory, stage.redactor)
    workshop = Workshop(
        Plans(lifecycle, lifecycle),
        Apply(stage.serve(PlanApplyActor, SERVICE, stage.outbox(PlanApplyActor), *parts)),
        stage.sandboxes(),
    )
    plan_id = ready(workshop, project)
    with pytest.raises(ServiceFailure, match="surprise"):
        execute(workshop, plan_id, works.nothing)
    assert known(workshop, plan_id).phase is Phase.ERRORED
    assert stage.only("plan.errored").payload["error_type"] == "ZeroDivisionError"
