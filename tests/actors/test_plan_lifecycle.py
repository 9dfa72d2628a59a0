"""PlanLifecycleActor: phases are kept and told, and steps that are not legal refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.base import CatchUp, Service
from minutebook.actors.reply import Reply
from minutebook.domain.commands import (
    BeginCancel,
    BeginPhase,
    Command,
    CompletePhase,
    FailPlan,
    NoteProgress,
    StrategizePlan,
)
from minutebook.domain.context import bind
from minutebook.domain.errors import (
    IllegalTransition,
    InvalidCommand,
    NotARepository,
    ProjectDirty,
    ProjectMissing,
    UnknownPlan,
)
from minutebook.domain.plan import TRANSITIONS, Phase, ProcessingState, is_ended
from minutebook.domain.state import Plan
from tests.actors.project import Project
from tests.actors.stage import WAIT_S, Stage, Workshop


def made(workshop: Workshop, project: Project) -> Plan:
    return workshop.plans.create(action="do it", project=project.path).get(timeout=WAIT_S)


def test_a_plan_is_created_for_a_clean_project_and_told(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    with bind(identity="alice", session_id="s"):
        plan = workshop.plans.create(action="Tidy up", project=project.path).get(timeout=WAIT_S)

    assert (plan.action, plan.created_by) == ("Tidy up", "alice")
    assert (plan.project_path, plan.project_name) == (str(project.path), "project")
    assert (plan.phase, plan.processing_state) == (Phase.ACTION, ProcessingState.QUEUED)
    entry = stage.only("plan.created")
    assert entry.payload == {
        "action": "Tidy up",
        "project_paths": [str(project.path)],
        "parent_plan_id": None,
    }
    assert (entry.plan_id, entry.project_names) == (plan.plan_id, '["project"]')
    assert (entry.user_identity, entry.session_id) == ("alice", "s")
    assert (entry.source, entry.occurred_time) == ("shop/plans", plan.created_at)


def test_each_phase_is_told_with_where_it_came_from(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan = made(workshop, project)
    plan = workshop.plans.strategize(plan.plan_id, strategy="carefully").get(timeout=WAIT_S)
    assert (plan.phase, plan.strategy) == (Phase.STRATEGIZE, "carefully")
    assert plan.processing_state is ProcessingState.COMPLETE
    entry = stage.only("plan.phase_changed")
    assert entry.payload == {"phase_from": "action", "phase_to": "strategize"}
    assert (entry.plan_id, entry.project_names) == (plan.plan_id, '["project"]')


def test_a_path_is_no_project(
    stage: Stage, workshop: Workshop, project: Project, tmp_path: Path
) -> None:
    inside = project.path / "inside"
    inside.mkdir()
    missing = tmp_path / "missing"
    for path, error, said in (
        (missing, ProjectMissing, "There is no directory"),
        (inside, NotARepository, "give the top of the work tree"),
        (project.path / "README.md", ProjectMissing, "There is no directory"),
    ):
        with pytest.raises(error, match=said):
            workshop.plans.create(action="a", project=path).get(timeout=WAIT_S)
    with pytest.raises(InvalidCommand):
        workshop.plans.create(action="", project=project.path)
    wrong: Any
    for wrong in (3, None, object()):
        with pytest.raises(InvalidCommand, match="a path is text, bytes or a Path"):
            workshop.plans.create(action="a", projects=[wrong])
    for wrong in (str(project.path), os.fsencode(project.path), project.path):
        with pytest.raises(InvalidCommand, match="is one path; give a list"):
            workshop.plans.create(action="a", projects=wrong)
    assert stage.types() == []
    assert workshop.plans.list().get(timeout=WAIT_S) == ()


def test_a_dirty_project_is_refused_and_left_as_it_is(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    for name in ("README.md", "untracked.txt"):
        (project.path / name).write_text("changed\n")
        before = project.state()
        with pytest.raises(ProjectDirty, match=f"'{name}'; commit, stash or ignore them first"):
            made(workshop, project)
        assert project.state() == before
        project.git("clean", "-fdq")
        project.git("checkout", "-q", ".")
    (project.path / "free.ignored").write_text("ignored\n")
    made(workshop, project)
    assert stage.types() == ["plan.created"]


def test_a_project_may_be_given_in_any_form_and_have_any_name(
    stage: Stage, workshop: Workshop, tmp_path: Path
) -> None:
    project = Project(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")))
    for path in (project.path, str(project.path), os.fsencode(project.path)):
        plan = workshop.plans.create(action="a", project=path).get(timeout=WAIT_S)
        assert plan.project_path == str(project.path)
    (tmp_path / "link").symlink_to(project.path)
    linked = workshop.plans.create(action="a", project=tmp_path / "link").get(timeout=WAIT_S)
    assert linked.project_path == str(project.path)
    assert stage.entries()[0].payload["project_paths"] == [str(project.path)]
    stage.stop_services()
    assert stage.workshop().plans.get(plan.plan_id).get(timeout=WAIT_S) == plan


def test_an_unknown_plan_is_refused_by_every_command(stage: Stage, workshop: Workshop) -> None:
    plans = workshop.plans
    for ask in (
        plans.get,
        plans.delete,
        lambda plan_id: plans.strategize(plan_id, strategy="s"),
        lambda plan_id: plans.cancel(plan_id, reason="r"),
        lambda plan_id: workshop.apply.execute(plan_id, ["true"]),
        lambda plan_id: workshop.apply.apply(plan_id),
    ):
        with pytest.raises(UnknownPlan, match=r"no plan has the id 'nope'; list\(\) names"):
            ask("nope").get(timeout=WAIT_S)
    assert stage.types() == []


# How to bring a plan from its creation into a phase, and what asks for the next one.
_INTO: dict[Phase, tuple[Phase, ...]] = {
    Phase.ACTION: (),
    Phase.STRATEGIZE: (Phase.STRATEGIZE,),
    Phase.EXECUTE: (Phase.STRATEGIZE, Phase.EXECUTE),
    Phase.APPLY: (Phase.STRATEGIZE, Phase.EXECUTE, Phase.APPLY),
    Phase.CANCELLED: (Phase.CANCELLED,),
    Phase.ERRORED: (Phase.ERRORED,),
}


def step(plan_id: str, phase: Phase) -> Command:
    if phase is Phase.STRATEGIZE:
        return StrategizePlan(plan_id=plan_id, strategy="s")
    if phase is Phase.CANCELLED:
        return BeginCancel(plan_id=plan_id)
    if phase is Phase.ERRORED:
        return FailPlan(plan_id=plan_id, error="e", error_type="E")
    return BeginPhase(plan_id=plan_id, phase=phase)


@pytest.mark.parametrize("phase", _INTO)
def test_only_legal_steps_are_taken_and_the_others_name_them(
    stage: Stage, project: Project, phase: Phase
) -> None:
    lifecycle = Service(stage.plans())
    workshop = Workshop(stage.workshop().plans, None, None)  # type: ignore[arg-type]
    for wanted in (Phase.STRATEGIZE, Phase.EXECUTE, Phase.APPLY, Phase.APPLIED):
        plan_id = made(workshop, project).plan_id
        for through in _INTO[phase]:
            lifecycle.ask(step(plan_id, through)).get(timeout=WAIT_S)
            done = CompletePhase(plan_id=plan_id, phase=through)
            if through is Phase.EXECUTE:
                lifecycle.ask(done).get(timeout=WAIT_S)
        told = len(stage.entries())
        asked = lifecycle.ask(step(plan_id, wanted))
        if wanted in TRANSITIONS[phase]:
            assert asked.get(timeout=WAIT_S).phase is wanted
            assert len(stage.entries()) == told + 1
            continue
        with pytest.raises(IllegalTransition) as raised:
            asked.get(timeout=WAIT_S)
        legal = ", ".join(TRANSITIONS[phase])
        hint = f"from {phase} it may go to {legal}" if legal else "it has ended; create a new plan"
        assert str(raised.value) == (
            f"plan {plan_id} is in phase {phase} and cannot go to {wanted}: {hint}."
        )
        assert workshop.plans.get(plan_id).get(timeout=WAIT_S).phase is phase
        assert len(stage.entries()) == told


def test_work_that_has_not_ended_cannot_be_applied(stage: Stage, project: Project) -> None:
    lifecycle = Service(stage.plans())
    workshop = stage.workshop()
    plan = made(workshop, project)
    for phase in (Phase.STRATEGIZE, Phase.EXECUTE):
        lifecycle.ask(step(plan.plan_id, phase)).get(timeout=WAIT_S)
    with pytest.raises(IllegalTransition, match=r"its work has not ended; wait for execute\(\)"):
        workshop.apply.apply(plan.plan_id).get(timeout=WAIT_S)


def test_a_failure_ends_a_plan_once(stage: Stage, project: Project) -> None:
    lifecycle = Service(stage.plans())
    workshop = stage.workshop()
    plan = made(workshop, project)
    for _ in range(2):
        failed = FailPlan(plan_id=plan.plan_id, error="x" * 5_000, error_type="WorkFailed")
        ended = lifecycle.ask(failed).get(timeout=WAIT_S)
        assert (ended.phase, ended.processing_state) == (Phase.ERRORED, ProcessingState.FAILED)
    assert stage.types() == ["plan.created", "plan.phase_changed", "plan.errored"]
    entry = stage.only("plan.errored")
    assert entry.payload["phase"] == "action"
    assert entry.payload["error_type"] == entry.outcome_reason == "WorkFailed"
    assert 1_900 < len(entry.payload["error"]) <= 2_000
    assert (entry.outcome, entry.severity, entry.plan_id) == ("failure", "error", plan.plan_id)


def test_what_a_worker_did_in_a_phase_that_the_plan_has_left_is_void(
    stage: Stage, project: Project
) -> None:
    lifecycle = Service(stage.plans())
    workshop = stage.workshop()
    plan = made(workshop, project)
    for phase in (Phase.STRATEGIZE, Phase.EXECUTE):
        lifecycle.ask(step(plan.plan_id, phase)).get(timeout=WAIT_S)
    noted = NoteProgress(plan_id=plan.plan_id, last_step="first", steps_done=1, steps_total=3)
    lifecycle.ask(noted).get(timeout=WAIT_S)
    lifecycle.ask(BeginCancel(plan_id=plan.plan_id)).get(timeout=WAIT_S)
    done = CompletePhase(plan_id=plan.plan_id, phase=Phase.EXECUTE, changeset_id="c")
    with pytest.raises(IllegalTransition, match="has left phase execute for cancelled"):
        lifecycle.ask(done).get(timeout=WAIT_S)
    kept = workshop.plans.get(plan.plan_id).get(timeout=WAIT_S)
    assert (kept.last_step, kept.steps_done, kept.steps_total) == ("first", 1, 3)
    assert kept.changeset_id is None


def test_only_an_ended_plan_is_deleted_and_the_trail_keeps_it(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan = made(workshop, project)
    with pytest.raises(IllegalTransition, match=r"only one that has ended.*: cancel it first\.$"):
        workshop.plans.delete(plan.plan_id).get(timeout=WAIT_S)
    workshop.plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
    sandbox = workshop.apply.execute(plan.plan_id, ["true"]).get(timeout=WAIT_S).sandbox
    workshop.plans.cancel(plan.plan_id, reason="r").get(timeout=WAIT_S)
    with bind(identity="dora"):
        workshop.plans.delete(plan.plan_id).get(timeout=WAIT_S)

    entry = stage.only("entity.deleted")
    assert entry.payload == {
        "entity_type": "plan",
        "entity_id": plan.plan_id,
        "removed": [f"record of sandbox {sandbox.path}"],
    }
    assert (entry.user_identity, entry.plan_id) == ("dora", plan.plan_id)
    assert workshop.sandboxes.list(existing_only=False).get(timeout=WAIT_S) == ()
    with pytest.raises(UnknownPlan):
        workshop.plans.get(plan.plan_id).get(timeout=WAIT_S)


def test_plans_are_listed_oldest_first_and_by_phase(workshop: Workshop, project: Project) -> None:
    ids = [made(workshop, project).plan_id for _ in range(3)]
    workshop.plans.strategize(ids[1], strategy="s").get(timeout=WAIT_S)
    listed = workshop.plans.list().get(timeout=WAIT_S)
    assert [plan.plan_id for plan in listed] == ids
    in_action = workshop.plans.list(phase=Phase.ACTION).get(timeout=WAIT_S)
    assert [plan.plan_id for plan in in_action] == [ids[0], ids[2]]


def test_plans_survive_a_restart_in_every_phase(stage: Stage, project: Project) -> None:
    lifecycle = Service(stage.plans())
    workshop = stage.workshop()
    for path in _INTO.values():
        plan_id = made(workshop, project).plan_id
        for phase in path:
            lifecycle.ask(step(plan_id, phase)).get(timeout=WAIT_S)
            if phase is Phase.EXECUTE:
                done = CompletePhase(plan_id=plan_id, phase=phase, changeset_id="c0ffee")
                lifecycle.ask(done).get(timeout=WAIT_S)
    before = workshop.plans.list().get(timeout=WAIT_S)
    stage.stop_services()

    plans = stage.workshop().plans
    after = plans.list().get(timeout=WAIT_S)
    assert after == before
    assert [plan.phase for plan in after] == list(_INTO)
    for plan in after:
        going_on = plans.strategize(plan.plan_id, strategy="s")
        if plan.phase is Phase.ACTION:
            assert going_on.get(timeout=WAIT_S).phase is Phase.STRATEGIZE
        else:
            with pytest.raises(IllegalTransition):
                going_on.get(timeout=WAIT_S)
    assert {plan.phase for plan in after if is_ended(plan.phase)} == {
        Phase.CANCELLED,
        Phase.ERRORED,
    }


def test_a_plan_is_left_alone_as_long_as_its_process_is_there(
    stage: Stage, project: Project
) -> None:
    """Also when its system seems to be gone: somebody removed its journal, say."""
    inbox = stage.plans()
    lifecycle, workshop = Service(inbox), stage.workshop()
    plan_id = made(workshop, project).plan_id
    for phase in (Phase.STRATEGIZE, Phase.EXECUTE):
        lifecycle.ask(step(plan_id, phase)).get(timeout=WAIT_S)
    stage.gone.add("another")
    database = stage.database()

    def look() -> Phase:
        reply: Reply[None] = Reply()
        inbox.deliver(CatchUp(reply))
        reply.get(timeout=WAIT_S)
        return workshop.plans.get(plan_id).get(timeout=WAIT_S).phase

    assert look() is Phase.EXECUTE
    database.execute("UPDATE plan_workers SET producer = 'another'")
    assert look() is Phase.EXECUTE
    # A later process has its number.
    database.execute("UPDATE plan_workers SET host_started = host_started - 1")
    assert look() is Phase.ERRORED
    assert database.rows("SELECT * FROM plan_workers") == []
    database.close()
    assert stage.only("plan.errored").payload["error_type"] == "WorkerDied"
