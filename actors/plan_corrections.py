"""Corrections: a plan goes back to a decision, and re-enters a phase."""

from __future__ import annotations

from datetime import UTC, datetime

from minutebook.actors.base import handles
from minutebook.actors.plan_keeping import PlanKeeper
from minutebook.domain.commands import CorrectPlan, ListCorrections
from minutebook.domain.context import user_identity_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.events import CorrectionApplied
from minutebook.domain.plan import ProcessingState, check_correction
from minutebook.domain.state import Correction, Decision


class PlanCorrections(PlanKeeper):
    """The part of the actor that takes plans back.

    Nothing is done to a sandbox here: the next execution puts it where the corrections before
    it want it.
    """

    @handles(CorrectPlan)
    def correct(self, command: CorrectPlan) -> Correction:
        """Correct a decision."""
        now = datetime.now(UTC)
        with self._recorded() as recording:
            plan = self._known(command.plan_id)
            check_correction(
                plan.plan_id, plan.phase, plan.processing_state, plan.ended_in, command.phase
            )
            decision = self._decision(plan.plan_id, command.decision_id)
            reverts = command.mode == "revert"
            correction = Correction(
                attempt_id=new_id(),
                plan_id=plan.plan_id,
                decision_id=decision.decision_id,
                mode=command.mode,
                guidance=command.guidance,
                phase=command.phase,
                checkpoint_id=self._checkpoint_before(decision) if reverts else None,
                after_attempt=plan.attempts,
                corrected_by=user_identity_var.get(),
                created_at=now,
            )
            self._insert_correction(correction)
            reverted = self._revert(correction) if reverts else 0
            self._enter(
                recording,
                plan,
                command.phase,
                ProcessingState.QUEUED,
                reason=f"corrected: {command.mode}",
                ended_in=None,
                error=None,
                changeset_id=None,
                # Whoever approved did not see what comes now.
                approval=None,
            )
            recording.tell(
                CorrectionApplied(
                    plan_id=plan.plan_id,
                    project_names=plan.project_names,
                    occurred_at=now,
                    attempt_id=correction.attempt_id,
                    original_decision_id=decision.decision_id,
                    mode=command.mode,
                    guidance=command.guidance,
                    phase_from=plan.phase,
                    phase=command.phase,
                    checkpoint_id=correction.checkpoint_id,
                    decisions_reverted=reverted,
                )
            )
        return correction

    @handles(ListCorrections)
    def corrections(self, command: ListCorrections) -> tuple[Correction, ...]:
        """List a plan's corrections."""
        self._known(command.plan_id)
        rows = self._database.rows(
            "SELECT * FROM plan_corrections WHERE plan_id = ? ORDER BY rowid", (command.plan_id,)
        )
        return tuple(Correction(**row) for row in rows)

    def _checkpoint_before(self, decision: Decision) -> str | None:
        """Return the decision's checkpoint; none when it went with the sandbox."""
        there = self._database.row(
            "SELECT 1 FROM plan_checkpoints JOIN sandboxes USING (sandbox_id)"
            " WHERE checkpoint_id = ? AND released_at IS NULL",
            (decision.checkpoint_id,),
        )
        return None if there is None else decision.checkpoint_id

    def _insert_correction(self, correction: Correction) -> None:
        columns = correction.model_dump()
        columns["phase"] = correction.phase.value
        columns["created_at"] = to_microseconds(correction.created_at)
        names, marks = ", ".join(columns), ", ".join("?" for _ in columns)
        self._database.execute(
            f"INSERT INTO plan_corrections ({names}) VALUES ({marks})", tuple(columns.values())
        )

    def _revert(self, correction: Correction) -> int:
        """Make void the decision and all that came after; return how many decisions."""
        self._database.execute(
            "UPDATE plan_checkpoints SET reverted_by = ?1 WHERE plan_id = ?2"
            " AND reverted_by IS NULL AND rowid > coalesce("
            "(SELECT max(rowid) FROM plan_checkpoints WHERE checkpoint_id = ?3), 0)",
            (correction.attempt_id, correction.plan_id, correction.checkpoint_id),
        )
        reverted = self._database.rows(
            "UPDATE plan_decisions SET reverted_by = ?1 WHERE plan_id = ?2"
            " AND reverted_by IS NULL AND rowid >="
            " (SELECT rowid FROM plan_decisions WHERE decision_id = ?3) RETURNING decision_id",
            (correction.attempt_id, correction.plan_id, correction.decision_id),
        )
        return len(reverted)
