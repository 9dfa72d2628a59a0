"""What the PlanLifecycleActor knows of how a plan came about."""

from __future__ import annotations

from pydantic import AwareDatetime

from minutebook.domain.plan import CorrectionMode, Phase
from minutebook.domain.state.base import State


class Decision(State):
    """Something that was decided about a plan."""

    decision_id: str
    """Its id."""
    plan_id: str
    """Which plan."""
    parent_decision_id: str | None
    """Decision that it follows from."""
    phase: Phase
    """The plan's phase then."""
    question: str
    """What was to be decided."""
    choice: str
    """What was decided."""
    rationale: str | None
    """Why."""
    alternatives: tuple[str, ...]
    """What else could have been."""
    checkpoint_id: str | None
    """The plan's last checkpoint before it; ``None`` when there was none."""
    decided_by: str | None
    """Identity that the plan was worked on for."""
    created_at: AwareDatetime
    """UTC."""
    reverted_by: str | None = None
    """Attempt of the correction that made it void; ``None`` while it holds."""


class Correction(State):
    """A correction of a decision, with which a plan re-entered a phase."""

    attempt_id: str
    """Its id."""
    plan_id: str
    """Which plan."""
    decision_id: str
    """The decision that was corrected."""
    mode: CorrectionMode
    """``revert`` goes back to before the decision, ``append`` goes on from what is there."""
    guidance: str
    """What is to be done otherwise, in words."""
    phase: Phase
    """Phase that the plan re-entered."""
    checkpoint_id: str | None
    """Where the sandboxes go back to; ``None`` for their beginning, or for none of it."""
    after_attempt: int
    """How many executions had been begun before it."""
    corrected_by: str | None
    """Identity that corrected it."""
    created_at: AwareDatetime
    """UTC."""
