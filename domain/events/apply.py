"""What the PlanApplyActor tells."""

from __future__ import annotations

from typing import Any, Literal

from minutebook.domain.event import AuditEvent
from minutebook.domain.events.conflict import Conflict
from minutebook.domain.events.part import Part
from minutebook.domain.events.validation import ValidationOutcome
from minutebook.domain.upcasting import upcaster

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
    project_name: str | None = None
    """Which project; ``None`` in old entries."""


class AppliedProject(Part):
    """What an apply did to one project."""

    name: str
    """Which project."""
    kind: Literal["git", "directory"]
    """What it is."""
    commit_before: str
    """Its commit before; of a directory, the id of what it held in the plan's repository."""
    commit_after: str | None
    """The same after; ``None`` when nothing was applied."""
    files_changed: int
    """How many files differ."""
    lines_added: int
    """Sum over text files."""
    lines_removed: int
    """Sum over text files."""


class PlanApplyCompleted(AuditEvent, type="plan.apply_completed", schema_version=2):
    """PlanApplyActor: an apply ended, well or not (see ``outcome``)."""

    commit_before: str
    """The first project's commit before; empty when it was not looked at."""
    commit_after: str | None
    """The first project's commit after; ``None`` when nothing was applied."""
    projects: tuple[AppliedProject, ...] = ()
    """Each of the plan's projects, in its order."""
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
    conflicts: tuple[Conflict, ...]
    """Files that could not be merged, as far as they fit."""
    conflicts_omitted: int = 0
    """How many did not fit."""
    validations: tuple[ValidationOutcome, ...]
    """The validation commands that ran."""
    duration_s: float
    """Seconds that it took."""
    recovered: bool = False
    """Whether another process brought it to its end, since the one that began it had died."""


@upcaster(PlanApplyCompleted, 1)
def _name_conflicts(payload: dict[str, Any]) -> dict[str, Any]:
    payload["conflicts"] = [{"path": path, "kind": "other"} for path in payload["conflicts"]]
    return payload


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
    """Git's object id of the content before; of a submodule, its commit."""
    digest_after: str | None
    """Git's object id of the content after; of a submodule, its commit."""
    sha256_before: str | None = None
    """SHA-256, in hexadecimal, of the file's bytes in the project before.

    Those may differ from git's, by line endings and filters. Of a symbolic link: of its
    target's name. ``None`` when it did not exist, and for a submodule.
    """
    sha256_after: str | None = None
    """The same after; ``None`` when it is gone."""
    mode_changed: bool = False
    """Whether it became executable, or is no more, or became another type of file."""
    lines_added: int | None
    """Lines added; ``None`` for a binary file."""
    lines_removed: int | None
    """Lines removed; ``None`` for a binary file."""
