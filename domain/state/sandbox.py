"""What the SandboxCleanupActor answers with."""

from __future__ import annotations

from typing import Literal

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
    project_name: str
    """What the plan calls that project."""
    kind: SandboxKind
    """How it was made."""
    path: str
    """Its directory."""
    branch: str | None
    """Its branch; ``None`` for a copied directory."""
    commit: str | None
    """The commit that it starts from: the project's, or the one that stands for the copy."""
    created_at: AwareDatetime
    """UTC."""
    released_at: AwareDatetime | None = None
    """UTC; ``None`` while it exists."""
    kept: bool = False
    """Whether it survives the plan's end, until it is released by name."""


class Checkpoint(State):
    """What the sandbox of one project held, as a commit."""

    checkpoint_id: str
    """The same for all projects of the plan that were committed together."""
    plan_id: str
    """Whose sandbox."""
    project_name: str
    """Of which project."""
    sandbox_id: str
    """Which sandbox; when that was released, nothing can go back to the checkpoint."""
    name: str
    """What it was called."""
    commit: str
    """The commit, on the sandbox's branch."""
    files_changed: int
    """How many files differ from the checkpoint before, or from the sandbox's first commit."""
    created_at: AwareDatetime
    """UTC."""
    reverted_by: str | None = None
    """Attempt of the correction that made it void; ``None`` while it holds."""


class ReleasedSandbox(State):
    """What the release of a sandbox gave back; all zero when it was released before."""

    sandbox_id: str
    """Its id."""
    path: str
    """Its directory."""
    branch: str | None
    """Its branch; ``None`` for a copied directory."""
    bytes_freed: int
    """Sizes of its files, summed."""
    files_freed: int
    """How many files it had."""
    seconds: float
    """How long it took."""
    others: tuple[ReleasedSandbox, ...] = ()
    """Those of the plan's further projects, when all were released."""


class OrphanedSandbox(State):
    """A sandbox, or what is left of one, that no living plan has."""

    sandbox_id: str
    """Its id."""
    plan_id: str
    """Whose it was."""
    project_path: str
    """The project that it was made from."""
    kind: Literal["git_worktree", "directory", "git_branch"]
    """What it is; of some, only the branch is left."""
    path: str
    """Its directory."""
    branch: str | None
    """Its branch."""
    reason: Literal["plan_ended", "no_row"]
    """Its plan has ended or is unknown, or nothing in the app database names it any more."""
