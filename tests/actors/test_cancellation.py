"""CancellationOrchestrator: a plan is stopped, what it held is given back, and all is told once."""

from __future__ import annotations

import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.base import Service
from minutebook.actors.plans import Plans
from minutebook.domain.commands import BeginPhase, CreateSandbox
from minutebook.domain.context import bind
from minutebook.domain.errors import (
    AuditClosed,
    IllegalTransition,
    UnknownCancellation,
    UnknownPlan,
    WorkFailed,
)
from minutebook.domain.plan import Phase, ProcessingState
from tests.actors import works
from tests.actors.planning import known, nothing_is_left, ready
from tests.actors.project import FILES, Project, eventually, is_running
from tests.actors.stage import WAIT_S, Stage, Workshop


def cancel(workshop: Workshop, plan_id: str) -> Any:
    with bind(identity="carol", session_id="s-9"):
        return workshop.plans.cancel(plan_id, reason="no longer wanted").get(timeout=WAIT_S)


@pytest.mark.parametrize("strategized", [False, True])
def test_a_plan_that_holds_nothing(
    stage: Stage, workshop: Workshop, project: Project, strategized: bool
) -> None:
    plan = workshop.plans.create(action="do it", project=project.path).get(timeout=WAIT_S)
    plan_id = plan.plan_id
    if strategized:
        workshop.plans.strategize(plan_id, strategy="so").get(timeout=WAIT_S)
    phase = Phase.STRATEGIZE if strategized else Phase.ACTION
    cancelled = cancel(workshop, plan_id)

    assert (cancelled.phase, cancelled.reason) == (phase, "no longer wanted")
    assert cancelled.released == cancelled.failed == ()
    entry = stage.only("plan.cancelled")
    payload = entry.payload
    assert (payload["phase"], payload["requested_by"]) == (phase, "carol")
    assert payload["processing_state"] == ("complete" if strategized else "queued")
    assert payload["progress"] == {"steps_done": 0, "steps_total": None, "files_touched": 0}
    assert payload["sandbox_refs"] == payload["released"] == payload["failed"] == []
    assert payload["last_completed_step"] is payload["changeset_id"] is None
    assert (entry.plan_id, entry.project_names) == (plan_id, '["project"]')
    assert (entry.user_identity, entry.session_id) == ("carol", "s-9")
    assert (entry.source, entry.severity) == ("shop/cancellation", "warning")
    assert (entry.outcome, entry.outcome_reason) == ("success", "no longer wanted")
    plan = workshop.plans.get(plan_id).get(timeout=WAIT_S)
    assert (plan.phase, plan.processing_state) == (Phase.CANCELLED, ProcessingState.COMPLETE)


def test_work_is_ended_with_all_its_processes_and_its_sandbox_released(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    before = project.state()
    with bind(identity="alice"):
        running = workshop.apply.execute(plan_id, works.family)
    sandbox = stage.sandbox_directory / plan_id
    eventually((sandbox / works.PIDS).exists)
    pids = [int(pid) for pid in (sandbox / works.PIDS).read_text().split()]
    assert all(is_running(pid) for pid in pids)
    cancelled = cancel(workshop, plan_id)

    assert len(pids) == 3
    assert not any(is_running(pid) for pid in pids)
    with pytest.raises(WorkFailed, match=r"was stopped: its plan was cancelled; create a new plan"):
        running.get(timeout=WAIT_S)
    nothing_is_left(stage, project)
    assert project.state() == before
    told = stage.types()[3:]
    assert told[:2] == ["sandbox.created", "plan.phase_changed"]
    assert set(told[2:-1]) == {"resource.released", "sandbox.released"}
    assert told[-1] == "plan.cancelled"
    payload = stage.only("plan.cancelled").payload
    assert (payload["phase"], payload["processing_state"]) == ("execute", "processing")
    assert payload["last_completed_step"] == "prepare"
    assert payload["progress"] == {"steps_done": 1, "steps_total": 3, "files_touched": 1}
    assert payload["sandbox_refs"] == [str(sandbox)]
    kinds = [(held["kind"], held["id"]) for held in payload["released"]]
    assert kinds[-3:] == [
        ("git_worktree", str(sandbox)),
        ("git_branch", f"minutebook/{plan_id}"),
        ("temp_file", f"{sandbox}.tmp"),
    ]
    # One more looks after the others.
    assert {("process", str(pid)) for pid in pids} < set(kinds[:-3])
    assert {kind for kind, _ in kinds[:-3]} == {"process"}
    freed = stage.only("sandbox.released").payload
    assert payload["released"][-3]["bytes"] == freed["bytes_freed"]
    assert payload["released"][-3]["files"] == freed["files_freed"] > len(FILES)
    assert payload["failed"] == payload["pending"] == []
    assert [held.model_dump() for held in cancelled.released] == payload["released"]
    assert stage.entries("plan.errored") == []


def test_times_and_duration_agree(stage: Stage, workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    workshop.apply.execute(plan_id, works.write).get(timeout=WAIT_S)
    cancelled = cancel(workshop, plan_id)
    payload = stage.only("plan.cancelled").payload
    asked, done = payload["requested_at"], payload["completed_at"]
    assert asked.endswith("Z")
    assert asked < done
    assert payload["duration_s"] == cancelled.seconds > 0
    held = timedelta(seconds=sum(part["seconds"] for part in payload["released"]))
    assert held.total_seconds() <= payload["duration_s"]


def test_work_that_has_ended_is_not_said_to_have_been_stopped(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    done = workshop.apply.execute(plan_id, works.write).get(timeout=WAIT_S)
    cancel(workshop, plan_id)
    payload = stage.only("plan.cancelled").payload
    assert [held["kind"] for held in payload["released"]] == ["git_worktree", "git_branch"]
    assert (payload["phase"], payload["processing_state"]) == ("execute", "complete")
    assert payload["changeset_id"] == done.changeset_id
    assert payload["last_completed_step"] == "create"
    assert payload["progress"] == {"steps_done": 2, "steps_total": 2, "files_touched": 2}
    nothing_is_left(stage, project)


def test_a_cancel_while_what_the_work_left_is_committed(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    mark, go = stage.directory / "committing", stage.directory / "go"
    script = f"touch '{mark}'; while [ ! -e '{go}' ]; do sleep 0.1; done; cat"
    project.git("config", "filter.slow.clean", script)
    project.commit({".gitattributes": b"new.txt filter=slow\n"})
    plan_id = ready(workshop, project)
    running = workshop.apply.execute(plan_id, works.write)
    eventually(mark.exists)
    cancelling = workshop.plans.cancel(plan_id, reason="r")
    eventually(lambda: known(workshop, plan_id).phase is Phase.CANCELLED)
    go.touch()
    cancelled = cancelling.get(timeout=WAIT_S)
    with pytest.raises(WorkFailed, match="its plan was cancelled"):
        running.get(timeout=WAIT_S)
    # The process had ended by itself.
    assert [held.kind for held in cancelled.released] == ["git_worktree", "git_branch"]
    assert stage.types()[-2:] == ["sandbox.released", "plan.cancelled"]
    assert stage.entries("plan.errored") == []
    nothing_is_left(stage, project)


def test_a_command_line_is_ended_too(stage: Stage, workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    code = "import os,time; open('pid.ignored','w').write(str(os.getpid())); time.sleep(600)"
    running = workshop.apply.execute(plan_id, [sys.executable, "-c", code])
    note = stage.sandbox_directory / plan_id / "pid.ignored"
    eventually(lambda: note.exists() and note.read_text() != "")
    pid = int(note.read_text())
    cancel(workshop, plan_id)
    assert not is_running(pid)
    with pytest.raises(WorkFailed):
        running.get(timeout=WAIT_S)


def test_one_cancel_of_many_callers_is_recorded_once(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    running = workshop.apply.execute(plan_id, works.wait_for_go)
    eventually((stage.sandbox_directory / plan_id / "late.txt").exists)
    asked = [workshop.plans.cancel(plan_id, reason=f"caller {n}") for n in range(5)]
    answers = [future.get(timeout=WAIT_S) for future in asked]
    with pytest.raises(WorkFailed):
        running.get(timeout=WAIT_S)

    assert answers[0].reason == "caller 0"
    assert all(answer == answers[0] for answer in answers)
    later = workshop.plans.cancel(plan_id, reason="too late").get(timeout=WAIT_S)
    assert later == workshop.plans.cancellation(plan_id).get(timeout=WAIT_S) == answers[0]
    entry = stage.only("plan.cancelled")
    assert (entry.id, entry.outcome_reason) == (answers[0].entry_id, "caller 0")
    nothing_is_left(stage, project)


@pytest.mark.parametrize("work", [works.nothing, works.add_one, ["true"]])
def test_a_cancel_at_any_moment_leaves_nothing_and_one_record(
    stage: Stage, workshop: Workshop, project: Project, work: Any
) -> None:
    before = project.state()
    outcomes: set[type[Exception] | None] = set()
    for number in range(8):
        plan_id = ready(workshop, project)
        running = workshop.apply.execute(plan_id, work)
        for _ in range(number * 60):
            known(workshop, plan_id)
        cancelled = workshop.plans.cancel(plan_id, reason="r").get(timeout=WAIT_S)
        try:
            running.get(timeout=WAIT_S)
            outcomes.add(None)
        except (WorkFailed, IllegalTransition) as error:
            outcomes.add(type(error))
        told = [entry.type for entry in stage.entries() if entry.plan_id == plan_id]
        assert told.count("plan.cancelled") == 1
        assert told.count("sandbox.created") == told.count("sandbox.released") <= 1
        assert "plan.errored" not in told
        kinds = {held.kind for held in cancelled.released}
        assert ("git_worktree" in kinds) == ("sandbox.created" in told), told
        nothing_is_left(stage, project)
    assert project.state() == before
    # The very first may be cancelled before its execution was begun, and the last ones too late.
    assert outcomes & {WorkFailed, IllegalTransition}


def test_a_plan_that_has_ended_or_is_not_there_cannot_be_cancelled(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    applied, errored = ready(workshop, project), ready(workshop, project)
    workshop.apply.execute(applied, works.write).get(timeout=WAIT_S)
    workshop.apply.apply(applied).get(timeout=WAIT_S)
    with pytest.raises(WorkFailed):
        workshop.apply.execute(errored, ["false"]).get(timeout=WAIT_S)
    told = stage.types()
    with pytest.raises(IllegalTransition, match=r"is in phase applied; .*: create a new plan\.$"):
        cancel(workshop, applied)
    match = r"has ended, in phase execute, and is in phase errored \(.*exit code 1.*: create a new"
    with pytest.raises(IllegalTransition, match=match):
        cancel(workshop, errored)
    for ask in (cancel, lambda *_: workshop.plans.cancellation("nope").get(timeout=WAIT_S)):
        with pytest.raises(UnknownPlan):
            ask(workshop, "nope")
    with pytest.raises(UnknownCancellation):
        workshop.plans.cancellation(applied).get(timeout=WAIT_S)
    assert stage.types() == told


def test_what_cannot_be_released_is_told_and_can_be_later(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    running = workshop.apply.execute(plan_id, works.wait_for_go)
    eventually((stage.sandbox_directory / plan_id / "late.txt").exists)
    away = project.path.with_name("moved-away")
    (project.path / ".git").rename(away)
    cancelled = cancel(workshop, plan_id)
    with pytest.raises(WorkFailed):
        running.get(timeout=WAIT_S)

    assert {held.kind for held in cancelled.released} == {"process", "temp_file"}
    assert [(failed.kind, failed.id) for failed in cancelled.failed] == [
        ("git_worktree", str(stage.sandbox_directory / plan_id)),
        ("git_branch", f"minutebook/{plan_id}"),
    ]
    entry = stage.only("plan.cancelled")
    assert entry.outcome == "failure"
    assert entry.payload["failed"] == [failed.model_dump() for failed in cancelled.failed]
    assert entry.payload["progress"]["files_touched"] is None
    assert stage.types()[-1] == "plan.cancelled"
    assert stage.only("sandbox.release_failed").user_identity == "carol"
    assert workshop.plans.get(plan_id).get(timeout=WAIT_S).phase is Phase.CANCELLED

    # The plan may be forgotten, but not what it left.
    workshop.plans.delete(plan_id).get(timeout=WAIT_S)
    assert stage.only("entity.deleted").payload["removed"] == []
    away.rename(project.path / ".git")
    assert workshop.sandboxes.release(plan_id).get(timeout=WAIT_S) is not None
    nothing_is_left(stage, project)


def test_a_sandbox_that_somebody_removed_is_no_obstacle(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    done = workshop.apply.execute(plan_id, works.write).get(timeout=WAIT_S)
    shutil.rmtree(done.sandbox.path)
    cancelled = cancel(workshop, plan_id)
    assert cancelled.failed == ()
    assert stage.only("plan.cancelled").payload["progress"]["files_touched"] is None
    nothing_is_left(stage, project)


def test_a_holder_that_does_not_answer_is_reported_and_the_plan_ends(
    stage: Stage, project: Project
) -> None:
    lifecycle = stage.plans()
    sandboxes = stage.sandboxes()

    def closed(_: object) -> Any:
        raise AuditClosed("that actor is closed; open another.")

    neighbours = (Service(lifecycle).ask, closed, sandboxes.ask, stage.sessions().ask)
    inbox = stage.cancellation(*neighbours)
    plans = Plans(lifecycle, inbox)
    plan = plans.create(action="a", project=project.path).get(timeout=WAIT_S)
    cancelled = plans.cancel(plan.plan_id, reason="r").get(timeout=WAIT_S)
    (failed,) = cancelled.failed
    assert (failed.kind, failed.id) == ("apply", plan.plan_id)
    assert failed.error == "that actor is closed; open another."
    assert stage.only("plan.cancelled").outcome == "failure"
    assert plans.get(plan.plan_id).get(timeout=WAIT_S).phase is Phase.CANCELLED


def test_a_plan_is_cancelled_after_a_restart(stage: Stage, project: Project) -> None:
    lifecycle = Service(stage.plans())
    workshop = stage.workshop()
    executed, interrupted = ready(workshop, project), ready(workshop, project)
    workshop.apply.execute(executed, works.write).get(timeout=WAIT_S)
    # As a worker leaves it that was killed with the whole process.
    begun = BeginPhase(plan_id=interrupted, phase=Phase.EXECUTE)
    lifecycle.ask(begun).get(timeout=WAIT_S)
    stage.stop_services()
    again = stage.workshop()
    for plan_id in (executed, interrupted):
        cancel(again, plan_id)
    assert len(stage.entries("plan.cancelled")) == 2
    nothing_is_left(stage, project)
    assert Path(project.path).exists()


def test_a_cancelled_plan_gets_no_sandbox_any_more(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    """A worker may ask for one in the very moment when what there is has been listed."""
    plan_id = ready(workshop, project)
    cancel(workshop, plan_id)
    late = CreateSandbox(plan_id=plan_id, project_path=str(project.path))
    with pytest.raises(IllegalTransition, match="was cancelled, and gets no sandbox"):
        workshop.sandboxes.ask(late).get(timeout=WAIT_S)
    nothing_is_left(stage, project)
