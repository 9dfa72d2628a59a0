"""What the CancellationOrchestrator tells when all of a cancellation is done."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from minutebook.domain.event import AuditEvent
from minutebook.domain.events.part import Part
from minutebook.domain.plan import Phase, ProcessingState

CancelPolicy = Literal["wait", "rollback"]
"""What becomes of an apply that is under way: it is let finish, or taken back."""

ApplyOutcome = Literal["none", "applied", "rolled_back"]
"""What became of the apply: there was none, the project has the changes, or is as it was."""


class PlanProgress(Part):
    """How far a plan's work had come."""

    steps_done: int
    """Steps that it completed."""
    steps_total: int | None
    """Steps that it announced; ``None`` when it did not say."""
    files_touched: int | None
    """Files that differ in its sandboxes; ``None`` when that could not be told any more."""


class ReleasedResource(Part):
    """Something a plan held, and that was given back."""

    kind: str
    """``git_worktree``, ``git_branch``, ``process``, ...: see `minutebook.domain.resources`."""
    id: str
    """Path, branch name, process id, ..."""
    bytes: int
    """Bytes freed."""
    files: int
    """Files freed."""
    seconds: float
    """How long it took."""


class UnreleasedResource(Part):
    """Something a plan held, and that could not be given back."""

    kind: str
    """As in `ReleasedResource`."""
    id: str
    """As in `ReleasedResource`."""
    error: str
    """Why not."""


class PendingResource(Part):
    """Something a plan held, and whose holder had not answered at the deadline."""

    kind: str
    """As in `ReleasedResource`; the holder's name when it did not even say what it holds."""
    id: str
    """As in `ReleasedResource`; the plan's id when the holder did not say what it holds."""
    why: str
    """What it was waited for."""


class ChildPlans(Part):
    """The plans below a plan, of every depth, by how they ended."""

    completed: tuple[str, ...] = ()
    """Ids of those that were applied."""
    cancelled: tuple[str, ...] = ()
    """Ids of those that were cancelled, with this one or before."""
    failed: tuple[str, ...] = ()
    """Ids of those that ended otherwise, or could not be cancelled in time."""


class PlanCancelled(AuditEvent, type="plan.cancelled", severity="warning"):
    """CancellationOrchestrator: a plan was stopped and what it held was given back.

    There is one for each plan whose cancel was taken up. Its ``outcome`` is ``failure`` when
    something could not be given back, or when the plan was applied all the same: its policy
    was to wait for an apply that was under way, and that succeeded.
    """

    reason: str
    """Why, in the words of who asked."""
    requested_by: str | None
    """Who asked."""
    phase: Phase
    """Phase at cancellation."""
    processing_state: ProcessingState
    """Processing state at cancellation."""
    last_completed_step: str | None
    """Name of the last step that its work completed."""
    progress: PlanProgress
    """How far its work had come."""
    sandbox_refs: tuple[str, ...]
    """Paths of its sandboxes."""
    changeset_id: str | None
    """Commit that its work left on the sandbox's branch, if it came to that."""
    child_plans: ChildPlans = ChildPlans()
    """The plans below it."""
    released: tuple[ReleasedResource, ...]
    """What was given back."""
    failed: tuple[UnreleasedResource, ...]
    """What could not be."""
    pending: tuple[PendingResource, ...] = ()
    """What was not waited for any longer; its release is told when it comes."""
    omitted: int = 0
    """How many more there are than fit into the three lists; each has its own event."""
    policy: CancelPolicy = "wait"
    """What was to become of an apply that was under way."""
    apply_outcome: ApplyOutcome = "none"
    """What became of it."""
    requested_at: AwareDatetime
    """When it was asked for."""
    completed_at: AwareDatetime
    """When all of it was done, or the deadline had come."""
    duration_s: float
    """Seconds between the two."""
