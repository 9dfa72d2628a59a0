"""What the CancellationOrchestrator answers with."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from minutebook.domain.events.cancellation import (
    ApplyOutcome,
    CancelPolicy,
    ChildPlans,
    PendingResource,
    ReleasedResource,
    UnreleasedResource,
)
from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.state.base import State
from minutebook.domain.state.plan import Plan

CancelState = Literal["requested", "fenced", "asked", "collected", "done"]
"""The steps of a cancellation, each persisted before what comes after it:

``requested`` before the plan is touched, ``fenced`` when no worker can go on with it, ``asked``
before the first holder is asked for anything, ``collected`` when all have answered or the
deadline has come, ``done`` together with the entry.
"""


class Cancellation(State):
    """How a cancellation stands; when it is done, the same facts are in ``plan.cancelled``."""

    plan_id: str
    """Which plan."""
    entry_id: str
    """Id of the one ``plan.cancelled``, there or to come."""
    state: CancelState
    """How far it is; nothing is final unless it is done."""
    reason: str
    """Why."""
    requested_by: str | None = None
    """Who asked first."""
    policy: CancelPolicy = "wait"
    """What was to become of an apply that was under way."""
    apply_outcome: ApplyOutcome = "none"
    """What became of it."""
    phase: Phase
    """Phase at cancellation."""
    processing_state: ProcessingState
    """Processing state at cancellation."""
    child_plans: ChildPlans = ChildPlans()
    """The plans below it."""
    released: tuple[ReleasedResource, ...] = ()
    """What was given back."""
    failed: tuple[UnreleasedResource, ...] = ()
    """What could not be."""
    pending: tuple[PendingResource, ...] = ()
    """What has not been given back so far, or was not waited for any longer."""
    requested_at: AwareDatetime
    """When it was asked for, UTC."""
    completed_at: AwareDatetime | None = None
    """When it was done, UTC; ``None`` while it is not."""
    seconds: float = 0.0
    """How long it took."""

    @property
    def complete(self) -> bool:
        """Whether it has come to its end, and its entry is told."""
        return self.state == "done"


class Fence(State):
    """What the PlanLifecycleActor answers to `BeginCancel`."""

    plan: Plan
    """The plan as it is then."""
    outcome: Literal["fenced", "applying", "ended"]
    """Whether no worker can go on with it; or it is being applied, or had ended otherwise."""
