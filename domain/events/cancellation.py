"""What the CancellationOrchestrator tells."""

from __future__ import annotations

from pydantic import AwareDatetime

from minutebook.domain.event import AuditEvent
from minutebook.domain.events.part import Part
from minutebook.domain.plan import Phase, ProcessingState


class PlanProgress(Part):
    """How far a plan's work had come."""

    steps_done: int
    """Steps that it completed."""
    steps_total: int | None
    """Steps that it announced; ``None`` when it did not say."""
    files_touched: int | None
    """Files that differ in its sandbox; ``None`` when that could not be told any more."""


class ReleasedResource(Part):
    """Something a plan held, and that was given back."""

    kind: str
    """``git_worktree``, ``git_branch``, ``process``, ..."""
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


class PlanCancelled(AuditEvent, type="plan.cancelled", severity="warning"):
    """CancellationOrchestrator: a plan was stopped and what it held was given back."""

    reason: str
    """Why, in the words of who asked."""
    requested_by: str | None
    """Who asked."""
    phase: Phase
    """Phase at the time of the request."""
    processing_state: ProcessingState
    """Processing state at the time of the request."""
    last_completed_step: str | None
    """Name of the last step that its work completed."""
    progress: PlanProgress
    """How far its work had come."""
    sandbox_refs: tuple[str, ...]
    """Paths of its sandboxes."""
    changeset_id: str | None
    """Commit that its work left on the sandbox's branch, if it came to that."""
    released: tuple[ReleasedResource, ...]
    """What was given back."""
    failed: tuple[UnreleasedResource, ...]
    """What could not be."""
    requested_at: AwareDatetime
    """When it was asked for."""
    completed_at: AwareDatetime
    """When all of it was done."""
    duration_s: float
    """Seconds between the two."""
