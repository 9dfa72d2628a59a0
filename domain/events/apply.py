"""What the PlanApplyActor tells."""

from __future__ import annotations

from typing import Literal

from minutebook.domain.event import AuditEvent
from minutebook.domain.events.part import Part
from minutebook.domain.events.validation import ValidationOutcome

ChangeKind = Literal["created", "modified", "deleted", "renamed"]
"""What happened to a file."""


class FileStatus(Part):
    """What an apply did to one file."""

    path: str
    """Path within the project, after the change."""
    change: ChangeKind
    """What happened to it."""
    lines_added: int | None
    """Lines added; ``None`` for a binary file."""
    lines_removed: int | None
    """Lines removed; ``None`` for a binary file."""


class PlanApplyCompleted(AuditEvent, type="plan.apply_completed"):
    """PlanApplyActor: an apply ended, well or not (see ``outcome``)."""

    commit_before: str
    """The project's commit before."""
    commit_after: str | None
    """The project's commit after; ``None`` when nothing was applied."""
    files_changed: int
    """How many files differ; equals the lines of ``git diff --numstat``."""
    lines_added: int
    """Sum over text files."""
    lines_removed: int
    """Sum over text files."""
    files_created: int
    """How many files are new."""
    files_modified: int
    """How many files changed in place."""
    files_deleted: int
    """How many files are gone."""
    files_renamed: int
    """How many files moved."""
    files: tuple[FileStatus, ...]
    """Each file, as far as they fit; the rest is counted in `files_omitted`."""
    files_omitted: int = 0
    """How many did not fit; each has its ``resource.modified``."""
    conflicts: tuple[str, ...]
    """Files that could not be merged."""
    validations: tuple[ValidationOutcome, ...]
    """The validation commands that ran."""
    duration_s: float
    """Seconds that it took."""


class ResourceModified(AuditEvent, type="resource.modified"):
    """PlanApplyActor: an apply changed one file of a project."""

    resource: str
    """Path within the project, after the change."""
    change: ChangeKind
    """What happened to it."""
    old_path: str | None = None
    """Path before, when it was renamed."""
    sandbox_path: str
    """The sandbox that the change comes from."""
    tool_name: str
    """What made the change: the plan's work."""
    bytes_before: int | None
    """Size before; ``None`` when it did not exist."""
    bytes_after: int | None
    """Size after; ``None`` when it is gone."""
    digest_before: str | None
    """Git's object id of the content before."""
    digest_after: str | None
    """Git's object id of the content after."""
    lines_added: int | None
    """Lines added; ``None`` for a binary file."""
    lines_removed: int | None
    """Lines removed; ``None`` for a binary file."""
