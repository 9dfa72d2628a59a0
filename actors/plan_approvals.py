"""What somebody has to say to a plan before it is applied."""

from __future__ import annotations

from minutebook.actors.base import handles
from minutebook.actors.plan_recovery import PlanRecovery
from minutebook.domain.commands import ApprovePlan, DenyPlan
from minutebook.domain.context import user_identity_var
from minutebook.domain.errors import IllegalTransition
from minutebook.domain.events import ApprovalDenied, ApprovalGranted
from minutebook.domain.fitting import shortened
from minutebook.domain.plan import Phase, ProcessingState, is_ended
from minutebook.domain.state import Plan


class PlanApprovals(PlanRecovery):
    """The part of the actor that records approvals, and ends a plan that gets none."""

    @handles(ApprovePlan)
    def approve(self, command: ApprovePlan) -> Plan:
        """Let a plan be applied."""
        with self._recorded() as recording:
            plan = self._waiting(command.plan_id)
            if plan.approval == "granted":
                msg = f"plan {plan.plan_id} was approved already; apply it."
                raise IllegalTransition(msg)
            self._update(plan.plan_id, approval="granted")
            recording.tell(
                ApprovalGranted(
                    plan_id=plan.plan_id,
                    project_names=plan.project_names,
                    subject=_subject(plan),
                    approver=user_identity_var.get(),
                    reason=command.reason,
                    gates="apply",
                )
            )
            return self._known(plan.plan_id)

    @handles(DenyPlan)
    def deny(self, command: DenyPlan) -> Plan:
        """End a plan, and have its sandboxes released."""
        with self._recorded() as recording:
            plan = self._waiting(command.plan_id)
            approver = user_identity_var.get()
            recording.tell(
                ApprovalDenied(
                    plan_id=plan.plan_id,
                    project_names=plan.project_names,
                    outcome_reason=command.reason,
                    subject=_subject(plan),
                    approver=approver,
                    reason=command.reason,
                    gates="apply",
                )
            )
            self._update(plan.plan_id, approval="denied")
            said = "" if command.reason is None else f": {command.reason}"
            reason = shortened(f"approval was denied by {approver or 'somebody unnamed'}{said}")
            plan = self._constrain(recording, plan.plan_id, reason)
        self._release_sandboxes(plan.plan_id)
        return plan

    def _waiting(self, plan_id: str) -> Plan:
        """Look up a plan that can be approved of, or not, now."""
        plan = self._known(plan_id)
        if not plan.needs_approval:
            msg = (
                f"plan {plan_id} needs no approval; create plans that do with needs_approval=True."
            )
            raise IllegalTransition(msg)
        if is_ended(plan.phase) or plan.phase is Phase.APPLY:
            msg = f"plan {plan_id} is in phase {plan.phase}, which is too late; nothing was said."
            raise IllegalTransition(msg)
        if plan.processing_state is ProcessingState.PROCESSING:
            msg = f"plan {plan_id} is being worked on; wait for its work to end, and look at it."
            raise IllegalTransition(msg)
        return plan


def _subject(plan: Plan) -> str:
    return plan.action if plan.changeset_id is None else f"changeset {plan.changeset_id}"
