"""Corrections take a plan back, with its sandbox; decisions and approvals go with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from minutebook.domain.context import bind
from minutebook.domain.errors import (
    ApprovalMissing,
    IllegalTransition,
    InvalidCommand,
    PlanConstrained,
    UnknownDecision,
    UnknownSandbox,
    WorkFailed,
)
from minutebook.domain.plan import CorrectionMode, Phase, ProcessingState
from minutebook.domain.state import Correction
from tests.actors import works
from tests.actors.planning import apply, execute, known, nothing_is_left, ready
from tests.actors.project import Project
from tests.actors.stage import WAIT_S, Stage, Workshop


def correct(
    workshop: Workshop,
    plan_id: str,
    decision_id: str,
    mode: CorrectionMode,
    guidance: str = "hello",
    phase: Phase = Phase.EXECUTE,
) -> Correction:
    return workshop.plans.correct(
        plan_id, decision_id=decision_id, mode=mode, guidance=guidance, phase=phase
    ).get(timeout=WAIT_S)


def decide(workshop: Workshop, plan_id: str, question: str = "how?") -> str:
    decision = workshop.plans.decide(plan_id, question, choice="so").get(timeout=WAIT_S)
    return decision.decision_id


def tell_attempts(workshop: Workshop, plan_id: str) -> list[str]:
    sandbox = Path(execute(workshop, plan_id, works.note_attempt).sandbox.path)
    return (sandbox / "attempts.txt").read_text().splitlines()


def test_append_goes_on_and_revert_goes_back_to_the_checkpoint_or_to_the_beginning(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    before = decide(workshop, plan_id)
    assert tell_attempts(workshop, plan_id) == ["1 None"]
    first = workshop.sandboxes.checkpoint(plan_id, name="first").get(timeout=WAIT_S)
    between = decide(workshop, plan_id)

    correct(workshop, plan_id, between, "append", "more")
    assert tell_attempts(workshop, plan_id) == ["1 None", "2 more"]
    workshop.sandboxes.checkpoint(plan_id, name="second").get(timeout=WAIT_S)
    after = decide(workshop, plan_id)

    # Two at once: the one that goes back further counts, and the last one's guidance.
    correct(workshop, plan_id, after, "revert")
    correction = correct(workshop, plan_id, between, "revert", "less")
    assert correction.checkpoint_id == first[0].checkpoint_id
    sandbox = Path(workshop.sandboxes.list().get(timeout=WAIT_S)[0].path)
    (sandbox / "left.ignored").write_text("left")
    assert tell_attempts(workshop, plan_id) == ["1 None", "3 less"]
    assert not (sandbox / "left.ignored").exists()
    decisions = workshop.plans.decisions(plan_id).get(timeout=WAIT_S)
    held = {decision.decision_id: decision.reverted_by for decision in decisions}
    assert held[before] is None
    assert held[between] == correction.attempt_id
    assert held[after] not in (None, correction.attempt_id)
    checkpoints = workshop.sandboxes.checkpoints(plan_id).get(timeout=WAIT_S)
    assert [(c.name, c.reverted_by is None) for c in checkpoints] == [
        ("first", True),
        ("second", False),
    ]
    with pytest.raises(UnknownDecision, match=r"is void: .*; decisions\(\) names"):
        correct(workshop, plan_id, between, "append")

    assert correct(workshop, plan_id, before, "revert", "anew").checkpoint_id is None
    assert tell_attempts(workshop, plan_id) == ["4 anew"]
    applied = apply(workshop, plan_id)
    assert (applied.files_changed, applied.lines_added) == (1, 1)
    assert [c.guidance for c in workshop.plans.corrections(plan_id).get(timeout=WAIT_S)] == [
        "more",
        "hello",
        "less",
        "anew",
    ]
    with pytest.raises(IllegalTransition, match=r"applied and cannot re-enter execute: create"):
        correct(workshop, plan_id, before, "append")
    nothing_is_left(stage, project)


def test_a_correction_may_re_enter_strategize(workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    decision = decide(workshop, plan_id)
    with pytest.raises(IllegalTransition, match="cannot re-enter execute: it may re-enter strat"):
        correct(workshop, plan_id, decision, "append")
    execute(workshop, plan_id, works.note_attempt)
    correct(workshop, plan_id, decision, "append", phase=Phase.STRATEGIZE)
    plan = known(workshop, plan_id)
    assert (plan.phase, plan.processing_state) == (Phase.STRATEGIZE, ProcessingState.QUEUED)
    assert plan.changeset_id is None
    with pytest.raises(IllegalTransition, match=r"say it with strategize\(\)"):
        execute(workshop, plan_id, ["true"])
    with pytest.raises(IllegalTransition):
        apply(workshop, plan_id)
    workshop.plans.strategize(plan_id, strategy="otherwise").get(timeout=WAIT_S)
    assert known(workshop, plan_id).strategy == "otherwise"
    assert tell_attempts(workshop, plan_id) == ["1 None", "2 hello"]
    for phase in (Phase.APPLY, Phase.ACTION):
        with pytest.raises(IllegalTransition, match=f"cannot re-enter {phase}"):
            correct(workshop, plan_id, decision, "append", phase=phase)
    with pytest.raises(InvalidCommand):
        workshop.plans.correct(plan_id, decision_id="d", mode="x", guidance="g")  # type: ignore[arg-type]


def test_a_failed_plan_is_corrected_and_begins_in_a_new_sandbox(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    decision = decide(workshop, plan_id)
    with pytest.raises(WorkFailed):
        execute(workshop, plan_id, works.fail)
    assert known(workshop, plan_id).ended_in is Phase.EXECUTE
    nothing_is_left(stage, project)
    with pytest.raises(IllegalTransition, match="nothing more is recorded"):
        decide(workshop, plan_id)
    correct(workshop, plan_id, decision, "append")
    with pytest.raises(IllegalTransition, match=r"was corrected; execute\(\) it again"):
        apply(workshop, plan_id)
    execute(workshop, plan_id, works.write)
    plan = known(workshop, plan_id)
    assert (plan.ended_in, plan.error, plan.attempts) == (None, None, 2)
    with pytest.raises(Exception, match="said no"):
        apply(workshop, plan_id, ["sh", "-c", "echo said no; false"])
    with pytest.raises(IllegalTransition, match=r"errored \(in apply\) and cannot re-enter"):
        correct(workshop, plan_id, decision, "append")


def test_a_checkpoint_that_went_with_its_sandbox_is_not_gone_back_to(
    workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    assert tell_attempts(workshop, plan_id) == ["1 None"]
    workshop.sandboxes.checkpoint(plan_id, name="first").get(timeout=WAIT_S)
    decision = decide(workshop, plan_id)
    workshop.sandboxes.release(plan_id).get(timeout=WAIT_S)
    assert correct(workshop, plan_id, decision, "revert").checkpoint_id is None
    assert tell_attempts(workshop, plan_id) == ["2 hello"]


def test_a_plan_has_so_many_attempts_and_ends_constrained(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plans = workshop.plans
    plan = plans.create(action="a", project=project.path, attempts_max=1).get(timeout=WAIT_S)
    plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
    decision = decide(workshop, plan.plan_id)
    execute(workshop, plan.plan_id, ["true"])
    with pytest.raises(IllegalTransition):
        execute(workshop, plan.plan_id, ["true"])
    assert known(workshop, plan.plan_id).phase is Phase.EXECUTE
    correct(workshop, plan.plan_id, decision, "append")
    with pytest.raises(PlanConstrained, match="executed 1 times, which is its limit"):
        execute(workshop, plan.plan_id, ["true"])
    end = stage.entries("plan.phase_changed")[-1]
    assert end.payload == {"phase_from": "execute", "phase_to": "constrained"}
    assert end.outcome == "denied"
    assert end.outcome_reason == known(workshop, plan.plan_id).error
    assert stage.entries("plan.errored") == []


def test_a_plan_is_applied_only_with_the_approval_that_it_needs(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plans = workshop.plans
    plan = plans.create(action="a", project=project.path, needs_approval=True).get(timeout=WAIT_S)
    plan_id = plan.plan_id
    plans.strategize(plan_id, strategy="s").get(timeout=WAIT_S)
    decision = decide(workshop, plan_id)
    execute(workshop, plan_id, works.write)
    with pytest.raises(ApprovalMissing, match=r"ask for approve\(\)"):
        apply(workshop, plan_id)
    with bind(identity="bob"):
        assert plans.approve(plan_id, reason="fine").get(timeout=WAIT_S).approval == "granted"
    with pytest.raises(IllegalTransition, match="approved already"):
        plans.approve(plan_id).get(timeout=WAIT_S)
    # What was approved of is not what there will be.
    correct(workshop, plan_id, decision, "append")
    execute(workshop, plan_id, works.write)
    with pytest.raises(ApprovalMissing):
        apply(workshop, plan_id)
    with bind(identity="bob"):
        denied = plans.deny(plan_id, reason="not again").get(timeout=WAIT_S)
    assert (denied.phase, denied.approval) == (Phase.CONSTRAINED, "denied")
    assert denied.error == "approval was denied by bob: not again"
    with pytest.raises(IllegalTransition, match="too late"):
        plans.approve(plan_id).get(timeout=WAIT_S)
    workshop.sandboxes.release(plan_id).get(timeout=WAIT_S)
    nothing_is_left(stage, project)
    granted, refused = stage.only("approval.granted"), stage.only("approval.denied")
    assert granted.payload["subject"].startswith("changeset ")
    assert (granted.payload["approver"], granted.payload["gates"]) == ("bob", "apply")
    assert (refused.payload["reason"], refused.outcome) == ("not again", "denied")

    # A denial may be answered with a correction.
    correct(workshop, plan_id, decision, "revert")
    execute(workshop, plan_id, works.nothing)
    plans.approve(plan_id).get(timeout=WAIT_S)
    assert apply(workshop, plan_id).files_changed == 0
    other = ready(workshop, project)
    with pytest.raises(IllegalTransition, match="needs no approval"):
        plans.approve(other).get(timeout=WAIT_S)


def test_work_records_decisions_tools_and_checkpoints(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    with bind(identity="alice", correlation_id="req-1"):
        execute(workshop, plan_id, works.use_tools)
    told = stage.entries("decision.recorded", "tool.invoked", "checkpoint.created")
    assert [entry.type for entry in told][:3] == [
        "decision.recorded",
        "checkpoint.created",
        "decision.recorded",
    ]
    assert {(e.plan_id, e.user_identity, e.correlation_id) for e in told} == {
        (plan_id, "alice", "req-1")
    }
    first, second = workshop.plans.decisions(plan_id).get(timeout=WAIT_S)
    assert (first.choice, first.alternatives, first.phase) == ("a", ("b", "c"), Phase.EXECUTE)
    assert (second.parent_decision_id, first.checkpoint_id) == (first.decision_id, None)
    (checkpoint,) = workshop.sandboxes.checkpoints(plan_id).get(timeout=WAIT_S)
    assert second.checkpoint_id == checkpoint.checkpoint_id
    assert (checkpoint.name, checkpoint.files_changed) == ("half", 1)
    tools = [entry.payload for entry in stage.entries("tool.invoked")]
    assert [(t["tool_name"], t["exit_code"], t["error"]) for t in tools] == [
        ("adder", None, None),
        ("adder", None, None),
        ("adder", None, "TypeError"),
        ("git", 0, None),
        ("false", 1, None),
    ]
    assert [e.outcome for e in stage.entries("tool.invoked")] == [
        *("success", "success", "failure"),
        *("success", "failure"),
    ]
    # Equal arguments show as equal, and are not there.
    assert tools[0]["arguments"] == tools[1]["arguments"] != tools[2]["arguments"]
    assert "s3cret" not in str([entry.payload for entry in stage.entries()])


def test_a_host_records_what_it_decides_and_uses(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    with bind(identity="alice"):
        decision = workshop.plans.decide(
            plan_id, "which?", choice="this", rationale="better", alternatives=["that"]
        ).get(timeout=WAIT_S)
        workshop.plans.tool_invoked(
            plan_id, "search", arguments={"q": "s3cret"}, ok=False, error="timeout", seconds=2.5
        ).get(timeout=WAIT_S)
    assert (decision.decided_by, decision.phase) == ("alice", Phase.STRATEGIZE)
    assert stage.only("decision.recorded").payload["alternatives"] == ["that"]
    tool = stage.only("tool.invoked")
    assert (tool.payload["seconds"], tool.payload["error"], tool.outcome) == (
        *(2.5, "timeout"),
        "failure",
    )
    with pytest.raises(UnknownDecision, match="is none of this plan's"):
        workshop.plans.decide(plan_id, "q", choice="c", parent="nope").get(timeout=WAIT_S)
    with pytest.raises(UnknownSandbox, match=r"execute\(\) it first"):
        workshop.sandboxes.checkpoint(plan_id, name="early").get(timeout=WAIT_S)


def test_the_kept_sandbox_of_a_failed_plan_is_gone_on_with(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    decision = decide(workshop, plan_id)
    with pytest.raises(WorkFailed):
        workshop.apply.execute(plan_id, works.fail, keep=True).get(timeout=WAIT_S)
    (kept,) = workshop.sandboxes.list().get(timeout=WAIT_S)
    assert (Path(kept.path) / "half.txt").exists()
    correct(workshop, plan_id, decision, "append")
    done = execute(workshop, plan_id, works.note_attempt)
    assert (done.sandbox.sandbox_id, done.files_changed) == (kept.sandbox_id, 2)
    apply(workshop, plan_id)
    assert workshop.sandboxes.list().get(timeout=WAIT_S) == (kept,)
    workshop.sandboxes.release(plan_id).get(timeout=WAIT_S)
    nothing_is_left(stage, project)
