"""Plans against a simple model: whatever is asked, in whatever order, both say the same.

A whole system on a real repository. The model knows phases, decisions and approval, and the
lines of one file that each execution appends to; the system has to refuse what the model
refuses, leave a plan as it was then, and end with the project that the model has.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from minutebook.actors import AuditSystem
from minutebook.domain import IllegalTransition, MinutebookError, Phase, WorkFailed
from minutebook.domain.errors import ApprovalMissing, PlanConstrained, UnknownDecision
from minutebook.domain.plan import ProcessingState
from tests.actors.project import Project
from tests.scenarios.stories import read

WAIT_S = 60.0

ATTEMPTS_MAX = 3

ENDS = {Phase.APPLIED, Phase.CANCELLED, Phase.ERRORED, Phase.CONSTRAINED}


@dataclass
class Model:
    """What a plan should be like."""

    phase: Phase = Phase.ACTION
    waits: bool = True
    """Whether the phase has not been done: the processing state is queued."""
    ended_in: Phase | None = None
    needs_approval: bool = False
    approved: bool = False
    attempts: int = 0
    sandbox: list[str] | None = None
    """Lines that the sandbox's file has; none without a sandbox."""
    base: list[str] = field(default_factory=list)
    """Lines of the project's file when the sandbox was made."""
    revert: list[str] | None = None
    """Lines that the next execution starts from, after a revert."""
    decisions: list[tuple[str, list[str] | None]] = field(default_factory=list)
    """Those that hold, each with the lines of the checkpoint before it."""
    checkpoint: list[str] | None = None
    """Lines of the last checkpoint that holds."""

    @property
    def ended(self) -> bool:
        return self.phase in ENDS

    def end(self, phase: Phase) -> None:
        self.ended_in = self.phase if phase in (Phase.ERRORED, Phase.CONSTRAINED) else None
        self.phase = phase
        # The sandbox is released, and its checkpoints with it.
        self.sandbox = self.revert = self.checkpoint = None
        self.decisions = [(decision_id, None) for decision_id, _ in self.decisions]

    def may_correct(self, wanted: Phase) -> bool:
        at = self.ended_in if self.phase in (Phase.ERRORED, Phase.CONSTRAINED) else self.phase
        return (at, wanted) in {
            (Phase.STRATEGIZE, Phase.STRATEGIZE),
            (Phase.EXECUTE, Phase.STRATEGIZE),
            (Phase.EXECUTE, Phase.EXECUTE),
        }

    def may_execute(self) -> bool:
        return (self.phase, self.waits) in {(Phase.STRATEGIZE, False), (Phase.EXECUTE, True)}


class PlanMachine(RuleBasedStateMachine):
    """Asks for anything at any time."""

    plans = Bundle("plans")

    @initialize()
    def open(self) -> None:
        self.files = ExitStack()
        self.place = Path(tempfile.mkdtemp())
        self.files.callback(shutil.rmtree, self.place, ignore_errors=True)
        self.project = Project(self.place / "project")
        self.lines: list[str] = []
        self.models: dict[str, Model] = {}
        self.written = 0
        self.system = AuditSystem.open(self.place / "audit.db")

    def teardown(self) -> None:
        if not hasattr(self, "system"):
            return
        try:
            for plan_id, model in self.models.items():
                if not model.ended:
                    self.system.plans.cancel(plan_id, reason="over").get(timeout=WAIT_S)
            assert self.system.sandboxes.list().get(timeout=WAIT_S) == ()
            assert self.system.sandboxes.orphans().get(timeout=WAIT_S) == ()
            assert (self.project.branches(), self.project.worktrees()) == (["main"], 1)
            self.system.close()
            self.check_trail()
        finally:
            self.system.close()
            self.files.close()

    def check_trail(self) -> None:
        """What is told leads from phase to phase, without a hole."""
        phases: dict[str, str] = {}
        for entry in read(self.place / "audit.db"):
            if entry["type"] == "plan.created":
                phases[entry["plan_id"]] = "action"
            elif entry["type"] == "plan.phase_changed":
                assert entry["payload"]["phase_from"] == phases[entry["plan_id"]]
                phases[entry["plan_id"]] = entry["payload"]["phase_to"]
        ended = {plan_id for plan_id, model in self.models.items() if model.ended}
        for plan_id in ended:
            assert phases[plan_id] == self.models[plan_id].phase

    def ask(self, legal: bool, call: Callable[[], Any], *errors: type[MinutebookError]) -> Any:
        """Ask for something that the model allows, or see it refused."""
        future = call()
        if legal:
            return future.get(timeout=WAIT_S)
        with pytest.raises(errors or (IllegalTransition,)):
            future.get(timeout=WAIT_S)
        return None

    @rule(target=plans, needs_approval=st.booleans())
    def create(self, needs_approval: bool) -> str:
        plan = self.system.plans.create(
            action="append a line",
            project=self.project.path,
            needs_approval=needs_approval,
            attempts_max=ATTEMPTS_MAX,
        ).get(timeout=WAIT_S)
        self.models[plan.plan_id] = Model(needs_approval=needs_approval)
        return plan.plan_id

    @rule(plan_id=plans)
    def strategize(self, plan_id: str) -> None:
        model = self.models[plan_id]
        legal = model.phase is Phase.ACTION or (model.phase is Phase.STRATEGIZE and model.waits)
        self.ask(legal, lambda: self.system.plans.strategize(plan_id, strategy="s"))
        if legal:
            model.phase, model.waits = Phase.STRATEGIZE, False

    @rule(plan_id=plans, fails=st.sampled_from([False, False, False, True]))
    def execute(self, plan_id: str, fails: bool) -> None:
        model = self.models[plan_id]
        self.written += 1
        line = f"line {self.written}"
        script = f"echo {line} >> lines.txt; {'false' if fails else 'true'}"
        exhausted = model.may_execute() and model.attempts >= ATTEMPTS_MAX
        error = PlanConstrained if exhausted else WorkFailed if fails else IllegalTransition
        self.ask(
            model.may_execute() and not exhausted and not fails,
            lambda: self.system.apply.execute(plan_id, ["sh", "-c", script]),
            *(error, IllegalTransition),
        )
        if not model.may_execute():
            return
        if exhausted:
            model.end(Phase.CONSTRAINED)
            return
        model.attempts += 1
        model.phase, model.waits = Phase.EXECUTE, False
        if model.sandbox is None:
            model.sandbox = model.base = list(self.lines)
        before = model.sandbox if model.revert is None else model.revert
        model.sandbox, model.revert = [*before, line], None
        if fails:
            model.end(Phase.ERRORED)

    @rule(plan_id=plans)
    def decide(self, plan_id: str) -> None:
        model = self.models[plan_id]
        decision = self.ask(
            not model.ended, lambda: self.system.plans.decide(plan_id, "how?", choice="so")
        )
        if decision is not None:
            model.decisions.append((decision.decision_id, model.checkpoint))

    @rule(plan_id=plans)
    def checkpoint(self, plan_id: str) -> None:
        model = self.models[plan_id]
        legal = model.sandbox is not None and model.revert is None
        self.ask(
            legal,
            lambda: self.system.sandboxes.checkpoint(plan_id, name="c"),
            MinutebookError,
        )
        if legal and model.sandbox is not None:
            model.checkpoint = list(model.sandbox)

    @rule(
        plan_id=plans,
        chosen=st.integers(0, 3),
        reverts=st.booleans(),
        phase=st.sampled_from([Phase.EXECUTE, Phase.STRATEGIZE, Phase.EXECUTE, Phase.APPLY]),
    )
    def correct(self, plan_id: str, chosen: int, reverts: bool, phase: Phase) -> None:
        model = self.models[plan_id]
        known = chosen < len(model.decisions)
        decision_id, lines = model.decisions[chosen] if known else ("none", None)
        legal = known and model.may_correct(phase)
        self.ask(
            legal,
            lambda: self.system.plans.correct(
                plan_id,
                decision_id=decision_id,
                mode="revert" if reverts else "append",
                guidance="g",
                phase=phase,
            ),
            *(IllegalTransition, UnknownDecision),
        )
        if not legal:
            return
        model.phase, model.waits, model.ended_in = phase, True, None
        model.approved = False
        if reverts:
            del model.decisions[chosen:]
            there = model.sandbox is not None
            model.checkpoint = lines if there else None
            model.revert = list(model.base if lines is None else lines) if there else None

    @rule(plan_id=plans, grants=st.sampled_from([True, True, False]))
    def judge(self, plan_id: str, grants: bool) -> None:
        model = self.models[plan_id]
        legal = model.needs_approval and not model.ended and not (grants and model.approved)
        say = self.system.plans.approve if grants else self.system.plans.deny
        self.ask(legal, lambda: say(plan_id))
        if not legal:
            return
        if grants:
            model.approved = True
        else:
            model.end(Phase.CONSTRAINED)

    @rule(plan_id=plans)
    def apply(self, plan_id: str) -> None:
        model = self.models[plan_id]
        legal = model.phase is Phase.EXECUTE and not model.waits
        blocked = legal and model.needs_approval and not model.approved
        # Two plans that append to one file conflict, unless one had the other's lines.
        conflict = legal and model.base != self.lines
        if conflict and not blocked:
            with pytest.raises(MinutebookError):
                self.system.apply.apply(plan_id).get(timeout=WAIT_S)
            model.phase = Phase.APPLY
            model.end(Phase.ERRORED)
            return
        error = ApprovalMissing if blocked else IllegalTransition
        self.ask(legal and not blocked, lambda: self.system.apply.apply(plan_id), error)
        if legal and not blocked:
            assert model.sandbox is not None
            self.lines = list(model.sandbox)
            model.end(Phase.APPLIED)

    @rule(plan_id=plans)
    def cancel(self, plan_id: str) -> None:
        model = self.models[plan_id]
        # A second cancel is answered with the first one's result.
        legal = not model.ended or model.phase is Phase.CANCELLED
        self.ask(legal, lambda: self.system.plans.cancel(plan_id, reason="r"))
        if not model.ended:
            model.end(Phase.CANCELLED)

    @rule(target=plans, plan_id=consumes(plans))
    def delete(self, plan_id: str) -> Any:
        model = self.models[plan_id]
        self.ask(model.ended, lambda: self.system.plans.delete(plan_id))
        if not model.ended:
            return plan_id
        del self.models[plan_id]
        return multiple()

    @rule()
    def reopen(self) -> None:
        self.system.close()
        self.system = AuditSystem.open(self.place / "audit.db")

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "system"):
            return
        plans = self.system.plans.list().get(timeout=WAIT_S)
        assert [plan.plan_id for plan in plans] == list(self.models)
        held = {
            sandbox.plan_id: Path(sandbox.path)
            for sandbox in self.system.sandboxes.list().get(timeout=WAIT_S)
        }
        for plan in plans:
            model = self.models[plan.plan_id]
            assert plan.phase is model.phase
            assert (plan.ended_in, plan.attempts) == (model.ended_in, model.attempts)
            assert (plan.approval == "granted") == model.approved or model.ended
            if not model.ended:
                waits = plan.processing_state is ProcessingState.QUEUED
                assert waits == model.waits
            assert (plan.plan_id in held) == (model.sandbox is not None)
            if model.sandbox is not None and model.revert is None:
                assert lines_of(held[plan.plan_id]) == model.sandbox
        assert lines_of(self.project.path) == self.lines


def lines_of(directory: Path) -> list[str]:
    path = directory / "lines.txt"
    return path.read_text().splitlines() if path.exists() else []


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        PlanMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_plans_do_what_their_model_does() -> None:
    run(examples=3, steps=12)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_plans_do_what_their_model_does_for_long() -> None:
    run(examples=60, steps=40)
