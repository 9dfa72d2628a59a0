"""What is told of each thing that a plan held, other than its sandboxes."""

from __future__ import annotations

from pydantic import AwareDatetime

from minutebook.domain.event import AuditEvent


class ResourceReleased(AuditEvent, type="resource.released"):
    """CancellationOrchestrator: something that a plan held is free.

    ``minutebook doctor`` tells it, too, of the processes that it ends. Its ``causation_id`` is
    the id of the ``plan.cancelled`` entry; it comes after that where the holder was waited for
    in vain.
    """

    kind: str
    """``process``, ``temp_file``, ``file_lock``, or a host's own kind."""
    resource_id: str
    """Process id, path, ...: the ``id`` of ``plan.cancelled``, which is the event's own here."""
    owner: str
    """Name of the holder that kept it."""
    since: AwareDatetime | None
    """Since when the plan held it; ``None`` when that is not known."""
    bytes: int
    """Bytes freed."""
    files: int
    """Files freed."""
    seconds: float
    """How long the release took."""


class ResourceReleaseFailed(
    AuditEvent, type="resource.release_failed", outcome="failure", severity="error"
):
    """CancellationOrchestrator: something that a plan held could not be freed."""

    kind: str
    """As in `ResourceReleased`."""
    resource_id: str
    """As in `ResourceReleased`."""
    owner: str
    """Name of the holder that keeps it."""
    since: AwareDatetime | None
    """As in `ResourceReleased`."""
    seconds: float
    """How long was tried."""
    error: str
    """Why not."""
