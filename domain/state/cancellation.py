"""What the CancellationOrchestrator answers with."""

from __future__ import annotations

from minutebook.domain.events.cancellation import ReleasedResource, UnreleasedResource
from minutebook.domain.plan import Phase
from minutebook.domain.state.base import State


class Cancellation(State):
    """How a cancellation ended; the same facts are in ``plan.cancelled``."""

    plan_id: str
    """Which plan."""
    reason: str
    """Why."""
    phase: Phase
    """Phase at the time of the request."""
    released: tuple[ReleasedResource, ...]
    """What was given back."""
    failed: tuple[UnreleasedResource, ...]
    """What could not be."""
    seconds: float
    """How long it took."""
