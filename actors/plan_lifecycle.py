"""PlanLifecycleActor: the phases of plans, kept in the app database, and told."""

from __future__ import annotations

from datetime import UTC, datetime

from minutebook.actors.base import StatefulActor, handles
from minutebook.actors.git.repository import ensure_clean, inspect_project
from minutebook.actors.recording import Recording
from minutebook.domain.commands import (
    BeginCancel,
    BeginPhase,
    CompleteApply,
    CompletePhase,
    CreatePlan,
    DeletePlan,
    FailPlan,
    GetPlan,
    ListPlans,
    NoteProgress,
    StrategizePlan,
)
from minutebook.domain.context import user_identity_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import IllegalTransition, UnknownPlan
from minutebook.domain.events import (
    EntityDeleted,
    PlanApplied,
    PlanCreated,
    PlanErrored,
    PlanPhaseChanged,
)
from minutebook.domain.fitting import fit_texts, shortened
from minutebook.domain.plan import Phase, ProcessingState, check_transition, is_ended
from minutebook.domain.state import Applied, Plan


class PlanLifecycleActor(StatefulActor):
    """Knows every plan's phase, and refuses the steps that are not legal from there."""

    name = "plans"

    # -- asked by hosts -------------------------------------------------------

    @handles(CreatePlan)
    def create(self, command: CreatePlan) -> Plan:
        """Make a plan for a clean project."""
        project = inspect_project(command.project)
        ensure_clean(project.path)
        now = datetime.now(UTC)
        plan = Plan(
            plan_id=new_id(),
            action=command.action,
            project_path=str(project.path),
            project_name=project.name,
            phase=Phase.ACTION,
            processing_state=ProcessingState.QUEUED,
            created_by=user_identity_var.get(),
            created_at=now,
            updated_at=now,
        )
        with self._recorded() as recording:
            self._database.execute(
                "INSERT INTO plans (plan_id, action, project_path, project_name, phase,"
                " processing_state, created_by, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    plan.plan_id,
                    plan.action,
                    plan.project_path,
                    plan.project_name,
                    plan.phase.value,
                    plan.processing_state.value,
                    plan.created_by,
                    to_microseconds(now),
                    to_microseconds(now),
                ),
            )
            recording.tell(
                PlanCreated(
                    plan_id=plan.plan_id,
                    project_names=(plan.project_name,),
                    action=plan.action,
                    project_paths=(plan.project_path,),
                    occurred_at=now,
                )
            )
        return plan

    @handles(GetPlan)
    def get(self, command: GetPlan) -> Plan:
        """Look up one plan."""
        return self._known(command.plan_id)

    @handles(ListPlans)
    def list(self, command: ListPlans) -> tuple[Plan, ...]:
        """List plans."""
        rows = self._database.rows(
            "SELECT * FROM plans WHERE ?1 IS NULL OR phase = ?1 ORDER BY created_at, rowid",
            (None if command.phase is None else command.phase.value,),
        )
        return tuple(Plan(**row) for row in rows)

    @handles(StrategizePlan)
    def strategize(self, command: StrategizePlan) -> Plan:
        """Take a plan from action to strategize."""
        with self._recorded() as recording:
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
                    project_names=(plan.project_name,),
                    entity_type="plan",
                    entity_id=plan.plan_id,
                    removed=tuple(f"record of sandbox {sandbox['path']}" for sandbox in sandboxes),
                )
            )
        return plan

    # -- asked by other actors ------------------------------------------------

    @handles(BeginPhase)
    def begin_phase(self, command: BeginPhase) -> Plan:
        """Let a worker take a plan into a phase."""
        changes = {} if command.tool_name is None else {"tool_name": command.tool_name}
        with self._recorded() as recording:
            _, plan = self._move(
                recording, command.plan_id, command.phase, ProcessingState.PROCESSING, **changes
            )
        return plan

    @handles(NoteProgress)
    def note_progress(self, command: NoteProgress) -> None:
        """Remember how far a plan's work has come."""
        self._update(
            command.plan_id,
            last_step=command.last_step,
            steps_done=command.steps_done,
            steps_total=command.steps_total,
        )

    @handles(CompletePhase)
    def complete_phase(self, command: CompletePhase) -> Plan:
        """Note that a worker has done with a phase, unless the plan has left it."""
        with self._database.transaction():
            plan = self._known(command.plan_id)
            if plan.phase is not command.phase:
                msg = (
                    f"plan {plan.plan_id} has left phase {command.phase} for {plan.phase}"
                    " meanwhile; what was done in it is void: create a new plan."
                )
                raise IllegalTransition(msg)
            changes = {"processing_state": ProcessingState.COMPLETE.value}
            if command.changeset_id is not None:
                changes["changeset_id"] = command.changeset_id
            self._update(plan.plan_id, **changes)
            return self._known(plan.plan_id)

    @handles(CompleteApply)
    def complete_apply(self, command: CompleteApply) -> Plan:
        """Note that a plan's changes are in its project."""
        applied: Applied = command.applied
        resources, omitted = fit_texts(command.resources)
        with self._recorded() as recording:
            _, plan = self._move(
                recording, command.plan_id, Phase.APPLIED, ProcessingState.COMPLETE
            )
            recording.tell(
                PlanApplied(
                    plan_id=plan.plan_id,
                    project_names=(plan.project_name,),
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

    @handles(FailPlan)
    def fail(self, command: FailPlan) -> Plan:
        """End a plan whose step failed; one that has ended already stays as it is."""
        error = shortened(command.error)
        try:
            with self._recorded() as recording:
                before, plan = self._move(
                    recording,
                    command.plan_id,
                    Phase.ERRORED,
                    ProcessingState.FAILED,
                    error=error,
                )
                recording.tell(
                    PlanErrored(
                        plan_id=plan.plan_id,
                        project_names=(plan.project_name,),
                        outcome_reason=command.error_type,
                        phase=before.phase,
                        error=error,
                        error_type=command.error_type,
                    )
                )
        except IllegalTransition:
            return self._known(command.plan_id)
        return plan

    @handles(BeginCancel)
    def begin_cancel(self, command: BeginCancel) -> Plan:
        """Take a plan out of its phase, so that no worker can go on with it."""
        with self._recorded() as recording:
            before, _ = self._move(
                recording, command.plan_id, Phase.CANCELLED, ProcessingState.PROCESSING
            )
        return before

    # -- the one way from phase to phase --------------------------------------

    def _move(
        self,
        recording: Recording,
        plan_id: str,
        phase: Phase,
        state: ProcessingState,
        **changes: object,
    ) -> tuple[Plan, Plan]:
        """Take a plan to another phase; return it as it was and as it is."""
        before = self._known(plan_id)
        check_transition(plan_id, before.phase, phase)
        _check_state(before, phase)
        self._update(plan_id, phase=phase.value, processing_state=state.value, **changes)
        recording.tell(
            PlanPhaseChanged(
                plan_id=plan_id,
                project_names=(before.project_name,),
                phase_from=before.phase,
                phase_to=phase,
            )
        )
        return before, self._known(plan_id)

    def _update(self, plan_id: str, **changes: object) -> None:
        changes["updated_at"] = to_microseconds(datetime.now(UTC))
        assignments = ", ".join(f"{column} = ?" for column in changes)
        self._database.execute(
            f"UPDATE plans SET {assignments} WHERE plan_id = ?", (*changes.values(), plan_id)
        )

    def _known(self, plan_id: str) -> Plan:
        row = self._database.row("SELECT * FROM plans WHERE plan_id = ?", (plan_id,))
        if row is None:
            msg = f"no plan has the id {plan_id!r}; list() names those there are."
            raise UnknownPlan(msg)
        return Plan(**row)


def _check_state(plan: Plan, wanted: Phase) -> None:
    """Refuse to apply what is not done, and to cancel what is being applied."""
    if wanted is Phase.APPLY and plan.processing_state is not ProcessingState.COMPLETE:
        msg = f"plan {plan.plan_id}: its work has not ended; wait for execute() to resolve."
        raise IllegalTransition(msg)
    applying = (plan.phase, plan.processing_state) == (Phase.APPLY, ProcessingState.PROCESSING)
    if wanted is Phase.CANCELLED and applying:
        msg = (
            f"plan {plan.plan_id} is being applied, which is not interrupted; wait for the"
            " apply to end."
        )
        raise IllegalTransition(msg)
