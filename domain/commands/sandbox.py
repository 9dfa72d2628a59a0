"""What may be asked of the SandboxCleanupActor."""

from __future__ import annotations

from minutebook.domain.commands.base import Command, Name


class CreateSandbox(Command):
    """Make a sandbox for a plan; answered with the `Sandbox`."""

    plan_id: Name
    project_path: Name


class ListSandboxes(Command):
    """Answered with a tuple of `Sandbox`, oldest first."""

    audited = False
    existing_only: bool = True


class ReleaseSandbox(Command):
    """Remove a plan's sandbox; answered with a `ReleasedSandbox`, or ``None`` for none."""

    plan_id: Name
