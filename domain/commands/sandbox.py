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
    directory: Name | None = None
    """Where it is made; where the system makes sandboxes, when not given."""
    keep: bool = False
    """Whether it survives the plan's end."""
    resumes: bool = False
    """Whether one that is there is used again."""
    revert: bool = False
    """Whether that one goes back, to `at` or to its beginning."""
    at: Name | None = None
    """The commit that it goes back to."""


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
    kept_too: bool = False
    """Whether those that survive the plan's end are removed as well."""


class KeepSandbox(Command):
    """Let a plan's sandboxes survive its end; answered with a tuple of `Sandbox`."""

    plan_id: Name


class CreateCheckpoint(Command):
    """Commit what a plan's sandboxes hold; answered with a tuple of `Checkpoint`."""

    plan_id: Name
    name: Name


class NoteCheckpoint(Command):
    """A plan's work has committed what its sandboxes hold; answered as `CreateCheckpoint`."""

    plan_id: Name
    name: Name
    checkpoint_id: Name
    commits: dict[str, str]
    """Commit by project name."""


class ListCheckpoints(Command):
    """Answered with a tuple of `Checkpoint`, oldest first."""

    audited = False
    plan_id: Name


class FindOrphans(Command):
    """Answered with a tuple of `OrphanedSandbox`."""

    audited = False


class ReleaseOrphans(Command):
    """Remove what `FindOrphans` finds; answered with a tuple of `OrphanedSandbox`."""
