"""PlanLifecycleActor: the phases of plans, kept in the app database, and told.

Its parts, each with the commands that it handles: `plan_fencing` (what a cancellation asks),
`plan_workers` (what workers say), `plan_recovery` (workers that died), `plan_records` (decisions
and tools), `plan_corrections`, `plan_approvals`; all on `plan_keeping`, the rows and the one way
from phase to phase.
"""

from __future__ import annotations

from datetime import UTC, datetime

from minutebook.actors.base import handles
from minutebook.actors.plan_approvals import PlanApprovals
from minutebook.actors.plan_corrections import PlanCorrections
from minutebook.actors.plan_projects import look_at
from minutebook.actors.plan_records import PlanRecords
from minutebook.domain.commands import (
    CompleteApply,
    CreatePlan,
    DeletePlan,
    GetPlan,
    ListPlans,
    StrategizePlan,
)
from minutebook.domain.context import user_identity_var
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import IllegalTransition
from minutebook.domain.events import (
    EntityDeleted,
    PlanApplied,
    PlanCreated,
)
from minutebook.domain.fitting import fit_texts
from minutebook.domain.plan import DEPTH_MAX, Phase, ProcessingState, is_ended
from minutebook.domain.state import Applied, Plan


class PlanLifecycleActor(PlanRecords, PlanCorrections, PlanApprovals):
    """Knows every plan's phase, and refuses the steps that are not legal from there."""

    # -- asked by hosts -------------------------------------------------------

    @handles(CreatePlan)
    def create(self, command: CreatePlan) -> Plan:
        """Make a plan for clean projects."""
        projects = look_at(command.projects, self._database)
        now = datetime.now(UTC)
        plan = Plan(
            plan_id=new_id(),
            action=command.action,
            projects=projects,
            phase=Phase.ACTION,
            processing_state=ProcessingState.QUEUED,
            parent_plan_id=command.parent_plan_id,
            needs_approval=command.needs_approval,
            attempts_max=command.attempts_max,
            created_by=user_identity_var.get(),
            created_at=now,
            updated_at=now,
        )
        with self._recorded() as recording:
            if plan.parent_plan_id is not None:
                self._check_parent(plan.parent_plan_id)
            self._insert(plan)
            recording.tell(
                PlanCreated(
                    plan_id=plan.plan_id,
                    project_names=plan.project_names,
                    action=plan.action,
                    project_paths=tuple(project.path for project in projects),
                    parent_plan_id=plan.parent_plan_id,
                    occurred_at=now,
                )
            )
        return plan

    def _check_parent(self, plan_id: str) -> None:
        parent = self._known(plan_id)
        if is_ended(parent.phase):
            msg = (
                f"plan {plan_id} is in phase {parent.phase} and takes no more children; name a"
                " parent that goes on, or none."
            )
            raise IllegalTransition(msg)
        depth, above = 2, parent.parent_plan_id
        while above is not None and depth <= DEPTH_MAX:
            row = self._database.row("SELECT parent_plan_id FROM plans WHERE plan_id = ?", (above,))
            depth, above = depth + 1, None if row is None else row["parent_plan_id"]
        if depth > DEPTH_MAX:
            msg = (
                f"plan {plan_id} is the {DEPTH_MAX}th of a line of children, which is the most;"
                " make the new plan a child of one further up."
            )
            raise IllegalTransition(msg)

    @handles(GetPlan)
    def get(self, command: GetPlan) -> Plan:
        """Look up one plan."""
        return self._known(command.plan_id)

    @handles(ListPlans)
    def list(self, command: ListPlans) -> tuple[Plan, ...]:
        """List plans."""
        return self._plans(
            "WHERE (?1 IS NULL OR phase = ?1) AND (?2 IS NULL OR parent_plan_id = ?2)",
            (None if command.phase is None else command.phase.value, command.parent_plan_id),
        )

    @handles(StrategizePlan)
    def strategize(self, command: StrategizePlan) -> Plan:
        """Take a plan from action to strategize."""
        with self._recorded() as recording:
            before = self._known(command.plan_id)
            corrected = before.processing_state is ProcessingState.QUEUED
            if before.phase is Phase.STRATEGIZE and corrected:
                complete = ProcessingState.COMPLETE.value
                self._update(before.plan_id, processing_state=complete, strategy=command.strategy)
                return self._known(before.plan_id)
            _, plan = self._move(
                recording,
                command.plan_id,
                Phase.STRATEGIZE,
                ProcessingState.COMPLETE,
                strategy=command.strategy,
            )
        return plan

    @handles(DeletePlan)
    def delete(self, command: DeletePlan) -> Plan:
        """Delete what is known of a plan that has ended; the trail keeps its events."""
        with self._recorded() as recording:
            plan = self._known(command.plan_id)
            if not is_ended(plan.phase):
                msg = (
                    f"plan {plan.plan_id} is in phase {plan.phase}; only one that has ended"
                    " can be deleted: cancel it first."
                )
                raise IllegalTransition(msg)
            if self._is_being_cancelled(plan.plan_id):
                msg = (
                    f"plan {plan.plan_id} is being cancelled; wait for that to end: cancel() it"
                    " again gives the result."
                )
                raise IllegalTransition(msg)
            # A sandbox that could not be released stays known, so that it still can be.
            gone = "FROM sandboxes WHERE plan_id = ? AND released_at IS NOT NULL"
            sandboxes = self._database.rows(
                f"SELECT path {gone} ORDER BY created_at", (plan.plan_id,)
            )
            self._database.execute(f"DELETE {gone}", (plan.plan_id,))
            self._database.execute("DELETE FROM plans WHERE plan_id = ?", (plan.plan_id,))
            recording.tell(
                EntityDeleted(
                    plan_id=plan.plan_id,
                    project_names=plan.project_names,
                    entity_type="plan",
                    entity_id=plan.plan_id,
                    removed=tuple(f"record of sandbox {sandbox['path']}" for sandbox in sandboxes),
                )
            )
        return plan

    # -- asked by other actors ------------------------------------------------

    @handles(CompleteApply)
    def complete_apply(self, command: CompleteApply) -> Plan:
        """Note that a plan's changes are in its projects; again for one that knows does nothing."""
        applied: Applied = command.applied
        resources, omitted = fit_texts(command.resources)
        with self._recorded() as recording:
            plan = self._known(command.plan_id)
            if plan.phase is Phase.APPLIED:
                return plan
            _, plan = self._move(
                recording, command.plan_id, Phase.APPLIED, ProcessingState.COMPLETE
            )
            recording.tell(
                PlanApplied(
                    plan_id=plan.plan_id,
                    project_names=plan.project_names,
                    files_changed=applied.files_changed,
                    lines_added=applied.lines_added,
                    lines_removed=applied.lines_removed,
                    resources_modified=resources,
                    resources_omitted=omitted,
                    validations=applied.validations,
                    apply_duration_s=applied.seconds,
                )
            )
        return plan
