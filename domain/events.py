"""The catalogue: every event type that Minutebook itself tells.

What the envelope says already (who, in which session, of which plan) is not repeated in
the payload: `SessionCreated` has its session id in ``session_id``, and so on.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from minutebook.domain.event import AuditEvent
from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.trail_events import (
    AuditGap,
    AuditRecovered,
    AuditSystemClosed,
    AuditSystemOpened,
)

__all__ = [
    "AuditGap",
    "AuditRecovered",
    "AuditSystemClosed",
    "AuditSystemOpened",
    "AuthFailed",
    "AuthMethod",
    "AuthSucceeded",
    "ChangeKind",
    "ConfigChanged",
    "EntityDeleted",
    "FileStatus",
    "PlanApplied",
    "PlanApplyCompleted",
    "PlanCancelled",
    "PlanCreated",
    "PlanErrored",
    "PlanPhaseChanged",
    "PlanProgress",
    "ReleasedResource",
    "ResourceModified",
    "SandboxCreated",
    "SandboxKind",
    "SandboxReleaseFailed",
    "SandboxReleased",
    "SessionClosed",
    "SessionCreated",
    "UnreleasedResource",
    "ValidationOutcome",
]

ChangeKind = Literal["created", "modified", "deleted", "renamed"]
"""What happened to a file."""


class _Part(BaseModel):
    """A nested part of a payload: as strict as the event that holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


# -- sessions -----------------------------------------------------------------


class SessionCreated(AuditEvent, type="session.created"):
    """SessionActor: an actor of the host began a session, named by ``session_id``."""

    actor_name: str
    """Who works in the session, such as ``local/reviewer``."""
    client: str | None = None
    """Program or address that it came from."""


class SessionClosed(AuditEvent, type="session.closed"):
    """SessionActor: a session ended."""

    actor_name: str
    """Who worked in the session."""
    reason: str
    """Why it ended."""
    duration_s: float
    """Seconds since it was created."""


# -- authentication -----------------------------------------------------------

AuthMethod = Literal["password", "token"]
"""How somebody proves who they are."""


class AuthSucceeded(AuditEvent, type="auth.succeeded"):
    """AuthActor: a credential was accepted."""

    method: AuthMethod
    """Kind of credential."""
    principal: str
    """Who was let in."""
    source_address: str | None = None
    """Where the request came from, as the host says."""
    attempts: int
    """Attempts since the last success, this one included."""


class AuthFailed(AuditEvent, type="auth.failed", outcome="failure", severity="warning"):
    """AuthActor: a credential was refused. The credential itself is never recorded."""

    method: AuthMethod
    """Kind of credential."""
    principal: str
    """The name that was tried."""
    reason: Literal["unknown_user", "bad_credential", "locked", "expired"]
    """Why, for the auditor; the caller is not told."""
    source_address: str | None = None
    """Where the request came from, as the host says."""
    attempts: int
    """Attempts since the last success, this one included."""


# -- configuration ------------------------------------------------------------


class ConfigChanged(AuditEvent, type="config.changed"):
    """ConfigActor: a setting was set or unset."""

    key: str
    """Dotted name of the setting."""
    old_value: Any = None
    """Value before; ``None`` when it had none; masked when secret."""
    new_value: Any = None
    """Value after; ``None`` when it was unset; masked when secret."""
    scope: str
    """Which layer of the configuration holds it."""


# -- plans --------------------------------------------------------------------


class PlanCreated(AuditEvent, type="plan.created"):
    """PlanLifecycleActor: a plan was made, named by ``plan_id``."""

    action: str
    """What it is to do, in words."""
    project_paths: tuple[str, ...]
    """Directories of the projects that it is to change."""


class PlanPhaseChanged(AuditEvent, type="plan.phase_changed"):
    """PlanLifecycleActor: a plan went on to another phase."""

    phase_from: Phase
    """Phase that it left."""
    phase_to: Phase
    """Phase that it entered."""


class PlanErrored(AuditEvent, type="plan.errored", outcome="failure", severity="error"):
    """PlanLifecycleActor: a plan ended because a step of it failed; its project is unchanged."""

    phase: Phase
    """Phase in which it failed."""
    error: str
    """What failed, in words."""
    error_type: str
    """Class of the error."""


class ValidationOutcome(_Part):
    """How one validation command ended."""

    command: tuple[str, ...]
    """The command line."""
    passed: bool
    """Whether it exited with 0 in time."""
    exit_code: int | None
    """Its exit status; ``None`` when it was stopped at its time limit."""
    seconds: float
    """How long it ran."""


class PlanApplied(AuditEvent, type="plan.applied"):
    """PlanLifecycleActor: a plan's changes are in its project."""

    files_changed: int
    """How many files differ between before and after."""
    lines_added: int
    """As counted by ``git diff --numstat``."""
    lines_removed: int
    """As counted by ``git diff --numstat``."""
    resources_modified: tuple[str, ...]
    """Paths of the files, as far as they fit; the rest is counted in `resources_omitted`."""
    resources_omitted: int = 0
    """How many paths did not fit; each has its ``resource.modified``."""
    validations: tuple[ValidationOutcome, ...]
    """The validation commands that it had to pass."""
    apply_duration_s: float
    """Seconds from the apply command to the project's new commit."""


class FileStatus(_Part):
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


class PlanProgress(_Part):
    """How far a plan's work had come."""

    steps_done: int
    """Steps that it completed."""
    steps_total: int | None
    """Steps that it announced; ``None`` when it did not say."""
    files_touched: int | None
    """Files that differ in its sandbox; ``None`` when that could not be told any more."""


class ReleasedResource(_Part):
    """Something a plan held, and that was given back."""

    kind: str
    """``git_worktree``, ``git_branch``, ``process``, ..."""
    id: str
    """Path, branch name, process id, ..."""
    bytes: int
    """Bytes freed."""
    files: int
    """Files freed."""
    seconds: float
    """How long it took."""


class UnreleasedResource(_Part):
    """Something a plan held, and that could not be given back."""

    kind: str
    """As in `ReleasedResource`."""
    id: str
    """As in `ReleasedResource`."""
    error: str
    """Why not."""


class PlanCancelled(AuditEvent, type="plan.cancelled", severity="warning"):
    """CancellationOrchestrator: a plan was stopped and what it held was given back."""

    reason: str
    """Why, in the words of who asked."""
    requested_by: str | None
    """Who asked."""
    phase: Phase
    """Phase at the time of the request."""
    processing_state: ProcessingState
    """Processing state at the time of the request."""
    last_completed_step: str | None
    """Name of the last step that its work completed."""
    progress: PlanProgress
    """How far its work had come."""
    sandbox_refs: tuple[str, ...]
    """Paths of its sandboxes."""
    changeset_id: str | None
    """Commit that its work left on the sandbox's branch, if it came to that."""
    released: tuple[ReleasedResource, ...]
    """What was given back."""
    failed: tuple[UnreleasedResource, ...]
    """What could not be."""
    requested_at: AwareDatetime
    """When it was asked for."""
    completed_at: AwareDatetime
    """When all of it was done."""
    duration_s: float
    """Seconds between the two."""


# -- deletions ----------------------------------------------------------------


class EntityDeleted(AuditEvent, type="entity.deleted"):
    """Whichever actor deleted it: something the host had is gone."""

    entity_type: Literal["session", "plan", "config_scope", "user"]
    """What it was."""
    entity_id: str
    """Its id or name."""
    removed: tuple[str, ...]
    """What went with it, such as ``3 API tokens``."""


# -- sandboxes ----------------------------------------------------------------

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
