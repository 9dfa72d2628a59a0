"""Taking a plan out of the hands of its workers, for a cancellation.

The plan's phase and the step of its cancellation change in one transaction, so that what the
plan was before is never lost.
"""

from __future__ import annotations

from minutebook.actors.base import handles
from minutebook.actors.plan_keeping import PlanKeeper
from minutebook.actors.recording import Recording
from minutebook.domain.commands import BeginCancel
from minutebook.domain.plan import Phase, ProcessingState, is_ended
from minutebook.domain.state import Fence, Plan

PROCESSING = ProcessingState.PROCESSING


class PlanFencing(PlanKeeper):
    """The part of the actor that the CancellationOrchestrator asks."""

    @handles(BeginCancel)
    def begin_cancel(self, command: BeginCancel) -> Fence:
        """Take a plan out of its phase, so that no worker can go on with it."""
        with self._recorded() as recording:
            plan = self._known(command.plan_id)
            if (plan.phase, plan.processing_state) == (Phase.CANCELLED, PROCESSING):
                # Before a crash; or its worker has failed meanwhile.
                self._note_fence(plan.plan_id)
                return Fence(plan=plan, outcome="fenced")
            if is_ended(plan.phase):
                return Fence(plan=plan, outcome="ended")
            if (plan.phase, plan.processing_state) == (Phase.APPLY, PROCESSING):
                return Fence(plan=plan, outcome="applying")
            return Fence(plan=self._fence(recording, plan), outcome="fenced")

    def _fence(self, recording: Recording, before: Plan) -> Plan:
        """Put a plan whose cancellation has begun where only that goes on with it."""
        self._note_fence(before.plan_id)
        self._database.execute(
            "UPDATE cancellations SET phase = ?, processing_state = ? WHERE plan_id = ?",
            (before.phase.value, before.processing_state.value, before.plan_id),
        )
        return self._enter(recording, before, Phase.CANCELLED, PROCESSING)

    def _note_fence(self, plan_id: str) -> None:
        self._database.execute(
            "UPDATE cancellations SET state = 'fenced' WHERE plan_id = ? AND state = 'requested'",
            (plan_id,),
        )

    def _is_being_cancelled(self, plan_id: str) -> bool:
        found = self._database.row(
            "SELECT 1 FROM cancellations WHERE plan_id = ? AND state <> 'done'", (plan_id,)
        )
        return found is not None
