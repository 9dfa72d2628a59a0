"""What all parts of the PlanLifecycleActor do with plans: look one up, change it, move it on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from minutebook.actors.base import StatefulActor
from minutebook.actors.recording import Recording
from minutebook.domain.entry import to_microseconds
from minutebook.domain.errors import (
    ApprovalMissing,
    IllegalTransition,
    UnknownDecision,
    UnknownPlan,
)
from minutebook.domain.events import PlanPhaseChanged
from minutebook.domain.plan import Phase, ProcessingState, check_transition
from minutebook.domain.state import Decision, Plan, PlanProject


class PlanKeeper(StatefulActor):
    """Base of the actor's parts: the rows of plans, and the one way from phase to phase."""

    name = "plans"

    def _insert(self, plan: Plan) -> None:
        columns = plan.model_dump(exclude={"projects"}, exclude_defaults=True)
        columns["needs_approval"] = int(plan.needs_approval)
        for column in ("created_at", "updated_at"):
            columns[column] = to_microseconds(columns[column])
        names, marks = ", ".join(columns), ", ".join("?" for _ in columns)
        self._database.execute(
            f"INSERT INTO plans ({names}) VALUES ({marks})", tuple(columns.values())
        )
        for position, project in enumerate(plan.projects):
            self._database.execute(
                "INSERT INTO plan_projects (plan_id, position, name, path, kind)"
                " VALUES (?, ?, ?, ?, ?)",
                (plan.plan_id, position, project.name, project.path, project.kind),
            )

    def _known(self, plan_id: str) -> Plan:
        plans = self._plans("WHERE plan_id = ?", (plan_id,))
        if not plans:
            msg = f"no plan has the id {plan_id!r}; list() names those there are."
            raise UnknownPlan(msg)
        return plans[0]

    def _plans(self, which: str, parameters: Sequence[Any] = ()) -> tuple[Plan, ...]:
        # One row for each project.
        rows = self._database.rows(
            "SELECT plans.*, project.name, project.path, project.kind FROM plans"
            f" JOIN plan_projects AS project USING (plan_id) {which}"
            " ORDER BY plans.created_at, plans.rowid, project.position",
            parameters,
        )
        plans = []
        for _, group in groupby(rows, lambda row: row["plan_id"]):
            of_one = list(group)
            projects = [
                PlanProject(**{column: row.pop(column) for column in PlanProject.model_fields})
                for row in of_one
            ]
            plans.append(Plan(projects=tuple(projects), **of_one[0]))
        return tuple(plans)

    def _decisions(self, which: str, *parameters: object) -> tuple[Decision, ...]:
        rows = self._database.rows(
            f"SELECT * FROM plan_decisions {which} ORDER BY rowid", parameters
        )
        return tuple(
            Decision(**{**row, "alternatives": json.loads(row["alternatives"])}) for row in rows
        )

    def _decision(self, plan_id: str, decision_id: str) -> Decision:
        """Look up a decision that holds."""
        found = self._decisions("WHERE plan_id = ? AND decision_id = ?", plan_id, decision_id)
        if found and found[0].reverted_by is None:
            return found[0]
        why = "is void: a correction has reverted it" if found else "is none of this plan's"
        msg = f"plan {plan_id}: decision {decision_id!r} {why}; decisions() names those there are."
        raise UnknownDecision(msg)

    def _move(
        self,
        recording: Recording,
        plan_id: str,
        phase: Phase,
        state: ProcessingState,
        *,
        reason: str | None = None,
        **changes: object,
    ) -> tuple[Plan, Plan]:
        """Take a plan to another phase; return it as it was and as it is.

        Args:
            reason: why, where the phases alone do not say it.
        """
        before = self._known(plan_id)
        self._check_move(before, phase)
        return before, self._enter(recording, before, phase, state, reason=reason, **changes)

    def _check_move(self, plan: Plan, phase: Phase) -> None:
        """Refuse a phase that may not follow now.

        Raises:
            IllegalTransition, ApprovalMissing: it may not.
        """
        check_transition(plan.plan_id, plan.phase, phase)
        _check_state(plan, phase)

    def _enter(
        self,
        recording: Recording,
        before: Plan,
        phase: Phase,
        state: ProcessingState,
        *,
        reason: str | None = None,
        **changes: object,
    ) -> Plan:
        """Put a plan into a phase that it may enter, and tell so."""
        if phase in (Phase.ERRORED, Phase.CONSTRAINED):
            changes["ended_in"] = before.phase.value
        self._update(before.plan_id, phase=phase.value, processing_state=state.value, **changes)
        recording.tell(
            PlanPhaseChanged(
                plan_id=before.plan_id,
                project_names=before.project_names,
                outcome="denied" if phase is Phase.CONSTRAINED else "success",
                outcome_reason=reason,
                phase_from=before.phase,
                phase_to=phase,
            )
        )
        return self._known(before.plan_id)

    def _constrain(self, recording: Recording, plan_id: str, reason: str) -> Plan:
        """End a plan that cannot go on within its limits."""
        _, plan = self._move(
            recording,
            plan_id,
            Phase.CONSTRAINED,
            ProcessingState.FAILED,
            reason=reason,
            error=reason,
        )
        return plan

    def _update(self, plan_id: str, **changes: object) -> None:
        changes["updated_at"] = to_microseconds(datetime.now(UTC))
        assignments = ", ".join(f"{column} = ?" for column in changes)
        self._database.execute(
            f"UPDATE plans SET {assignments} WHERE plan_id = ?", (*changes.values(), plan_id)
        )


def _check_state(plan: Plan, wanted: Phase) -> None:
    """Refuse to apply what is not done, and to cancel what is being applied."""
    queued = plan.processing_state is ProcessingState.QUEUED
    if wanted is Phase.EXECUTE and queued:
        msg = f"plan {plan.plan_id}: how it is to be done is open; say it with strategize()."
        raise IllegalTransition(msg)
    if wanted is Phase.APPLY and queued:
        msg = f"plan {plan.plan_id} was corrected; execute() it again first."
        raise IllegalTransition(msg)
    if wanted is Phase.APPLY and plan.processing_state is not ProcessingState.COMPLETE:
        msg = f"plan {plan.plan_id}: its work has not ended; wait for execute() to resolve."
        raise IllegalTransition(msg)
    if wanted is Phase.APPLY and plan.needs_approval and plan.approval != "granted":
        msg = f"plan {plan.plan_id} needs approval before it is applied; ask for approve()."
        raise ApprovalMissing(msg)
    applying = (plan.phase, plan.processing_state) == (Phase.APPLY, ProcessingState.PROCESSING)
    if wanted is Phase.CANCELLED and applying:
        msg = (
            f"plan {plan.plan_id} is being applied, which is not interrupted; wait for the"
            " apply to end."
        )
        raise IllegalTransition(msg)
