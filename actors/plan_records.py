"""How a plan came about: what was decided for it, and which tools were used."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from minutebook.actors.base import handles
from minutebook.actors.plan_keeping import PlanKeeper
from minutebook.domain.commands import ListDecisions, RecordDecision, RecordTool
from minutebook.domain.context import user_identity_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import IllegalTransition
from minutebook.domain.events import DecisionRecorded, ToolInvoked
from minutebook.domain.fitting import shortened
from minutebook.domain.plan import is_ended
from minutebook.domain.state import Decision, Plan


class PlanRecords(PlanKeeper):
    """The part of the actor that records decisions and tools."""

    @handles(RecordDecision)
    def decide(self, command: RecordDecision) -> Decision:
        """Record a decision."""
        now = datetime.now(UTC)
        with self._recorded() as recording:
            plan = self._going_on(command.plan_id)
            if command.parent_decision_id is not None:
                self._decision(plan.plan_id, command.parent_decision_id)
            checkpoint = self._database.row(
                "SELECT checkpoint_id FROM plan_checkpoints AS made"
                " JOIN sandboxes USING (sandbox_id)"
                " WHERE made.plan_id = ? AND reverted_by IS NULL AND released_at IS NULL"
                " ORDER BY made.rowid DESC",
                (plan.plan_id,),
            )
            decision = Decision(
                decision_id=command.decision_id or new_id(),
                plan_id=plan.plan_id,
                parent_decision_id=command.parent_decision_id,
                phase=plan.phase,
                question=command.question,
                choice=command.choice,
                rationale=command.rationale,
                alternatives=command.alternatives,
                checkpoint_id=None if checkpoint is None else checkpoint["checkpoint_id"],
                decided_by=user_identity_var.get(),
                created_at=now,
            )
            self._database.execute(
                "INSERT INTO plan_decisions (decision_id, plan_id, parent_decision_id, phase,"
                " question, choice, rationale, alternatives, checkpoint_id, decided_by, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    decision.decision_id,
                    decision.plan_id,
                    decision.parent_decision_id,
                    decision.phase.value,
                    decision.question,
                    decision.choice,
                    decision.rationale,
                    json.dumps(decision.alternatives),
                    decision.checkpoint_id,
                    decision.decided_by,
                    to_microseconds(now),
                ),
            )
            recording.tell(
                DecisionRecorded(
                    plan_id=plan.plan_id,
                    project_names=plan.project_names,
                    occurred_at=now,
                    decision_id=decision.decision_id,
                    question=decision.question,
                    choice=decision.choice,
                    rationale=decision.rationale,
                    alternatives=decision.alternatives,
                    phase=decision.phase,
                    parent_decision_id=decision.parent_decision_id,
                )
            )
        return decision

    @handles(ListDecisions)
    def decisions(self, command: ListDecisions) -> tuple[Decision, ...]:
        """List a plan's decisions, the void ones too."""
        self._known(command.plan_id)
        return self._decisions("WHERE plan_id = ?", command.plan_id)

    @handles(RecordTool)
    def record_tool(self, command: RecordTool) -> None:
        """Record that a tool was used."""
        with self._recorded() as recording:
            plan = self._going_on(command.plan_id)
            recording.tell(
                ToolInvoked(
                    plan_id=plan.plan_id,
                    project_names=plan.project_names,
                    outcome="success" if command.ok else "failure",
                    tool_name=command.tool_name,
                    arguments=command.arguments,
                    exit_code=command.exit_code,
                    error=None if command.error is None else shortened(command.error),
                    seconds=command.seconds,
                    phase=plan.phase,
                )
            )

    def _going_on(self, plan_id: str) -> Plan:
        plan = self._known(plan_id)
        if is_ended(plan.phase):
            msg = (
                f"plan {plan_id} has ended ({plan.phase}), and nothing more is recorded about how"
                " it came about; create a new plan, or correct this one."
            )
            raise IllegalTransition(msg)
        return plan
