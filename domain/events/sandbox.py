"""What the SandboxCleanupActor tells."""

from __future__ import annotations

from typing import Literal

from minutebook.domain.event import AuditEvent

SandboxKind = Literal["git_worktree", "directory"]
"""How a sandbox is made: linked to its repository, or copied."""


class SandboxCreated(AuditEvent, type="sandbox.created"):
    """SandboxCleanupActor: a plan got a place of its own to work in."""

    sandbox_id: str
    """Its id."""
    kind: SandboxKind
    """How it was made."""
    path: str
    """Its directory."""
    branch: str | None
    """Its branch; ``None`` for a copied directory."""
    commit: str | None
    """The commit that it starts from: the project's, or the one that stands for the copy."""


class SandboxReleased(AuditEvent, type="sandbox.released"):
    """SandboxCleanupActor: a sandbox is gone, directory and branch."""

    sandbox_id: str
    """Its id."""
    kind: SandboxKind
    """How it was made."""
    path: str
    """Its directory."""
    branch: str | None
    """Its branch; ``None`` for a copied directory."""
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
    branch: str | None
    """Its branch; ``None`` for a copied directory."""
    error: str
    """Why not."""


class CheckpointCreated(AuditEvent, type="checkpoint.created"):
    """SandboxCleanupActor: what a sandbox held was committed, so that it can go back there."""

    checkpoint_id: str
    """The same for all sandboxes that were committed together."""
    name: str
    """What it was called."""
    commit: str
    """The commit, on the sandbox's branch."""
    files_changed: int
    """How many files differ from the checkpoint before, or from the sandbox's first commit."""
