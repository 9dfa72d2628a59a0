"""What the SandboxCleanupActor tells."""

from __future__ import annotations

from typing import Literal

from minutebook.domain.event import AuditEvent

SandboxKind = Literal["git_worktree"]
"""How a sandbox is made."""


class SandboxCreated(AuditEvent, type="sandbox.created"):
    """SandboxCleanupActor: a plan got a place of its own to work in."""

    sandbox_id: str
    """Its id."""
    kind: SandboxKind
    """How it was made."""
    path: str
    """Its directory."""
    branch: str
    """Its branch."""
    commit: str
    """The project's commit that it starts from."""


class SandboxReleased(AuditEvent, type="sandbox.released"):
    """SandboxCleanupActor: a sandbox is gone, directory and branch."""

    sandbox_id: str
    """Its id."""
    kind: SandboxKind
    """How it was made."""
    path: str
    """Its directory."""
    branch: str
    """Its branch."""
    bytes_freed: int
    """Sizes of its files, summed."""
    files_freed: int
    """How many files it had."""
    seconds: float
    """How long the release took."""


class SandboxReleaseFailed(
    AuditEvent, type="sandbox.release_failed", outcome="failure", severity="error"
):
    """SandboxCleanupActor: a sandbox, or a part of it, could not be removed."""

    sandbox_id: str
    """Its id."""
    kind: SandboxKind
    """How it was made."""
    path: str
    """Its directory."""
    branch: str
    """Its branch."""
    error: str
    """Why not."""
