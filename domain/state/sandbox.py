"""What the SandboxCleanupActor answers with."""

from __future__ import annotations

from pydantic import AwareDatetime

from minutebook.domain.events.sandbox import SandboxKind
from minutebook.domain.state.base import State


class Sandbox(State):
    """A place where a plan's work runs, apart from the project."""

    sandbox_id: str
    """Its id."""
    plan_id: str
    """Whose it is."""
    project_path: str
    """The project that it was made from."""
    kind: SandboxKind
    """How it was made."""
    path: str
    """Its directory."""
    branch: str
    """Its branch."""
    commit: str
    """The project's commit that it starts from."""
    created_at: AwareDatetime
    """UTC."""
    released_at: AwareDatetime | None = None
    """UTC; ``None`` while it exists."""


class ReleasedSandbox(State):
    """What the release of a sandbox gave back; all zero when it was released before."""

    sandbox_id: str
    """Its id."""
    path: str
    """Its directory."""
    branch: str
    """Its branch."""
    bytes_freed: int
    """Sizes of its files, summed."""
    files_freed: int
    """How many files it had."""
    seconds: float
    """How long it took."""
