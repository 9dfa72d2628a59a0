"""What may be asked of the SandboxCleanupActor."""

from __future__ import annotations

from minutebook.domain.commands.base import Command, Name
from minutebook.domain.events.sandbox import SandboxKind


class CreateSandbox(Command):
    """Make a sandbox for a project of a plan; answered with the `Sandbox`."""

    plan_id: Name
    project_path: Name
    project_name: Name | None = None
    """What the plan calls the project; the directory's name when not given."""
    kind: SandboxKind = "git_worktree"
    position: int = 0
    """Which of the plan's projects it is, from 0."""


class ListSandboxes(Command):
    """Answered with a tuple of `Sandbox`, oldest first."""

    audited = False
    existing_only: bool = True
    plan_id: Name | None = None
    """Only those of that plan."""


class ReleaseSandbox(Command):
    """Remove a plan's sandboxes; answered with a `ReleasedSandbox`, or ``None`` for none."""

    plan_id: Name
    sandbox_id: Name | None = None
    """Only that one of them."""
