"""What the service actors know and answer with: frozen models, one per noun."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr

from minutebook.domain.events import (
    ReleasedResource,
    SandboxKind,
    UnreleasedResource,
    ValidationOutcome,
)
from minutebook.domain.plan import Phase, ProcessingState


class State(BaseModel):
    """Base of the models below."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Session(State):
    """A stretch of work by one actor of the host."""

    session_id: str
    """Its id."""
    actor_name: str
    """Who works in it."""
    user_identity: str | None
    """For which identity it was created."""
    client: str | None
    """Program or address that it came from."""
    created_at: AwareDatetime
    """UTC."""
    closed_at: AwareDatetime | None = None
    """UTC; ``None`` while it is open."""
    close_reason: str | None = None
    """Why it was closed."""


class User(State):
    """Somebody who can authenticate."""

    name: str
    """Unique name."""
    created_at: AwareDatetime
    """UTC."""


class Principal(State):
    """Somebody who has just authenticated; bind ``name`` as the identity."""

    name: str
    """Who."""
    method: str
    """``password`` or ``token``."""


class ApiToken(State):
    """A token, shown this once: only its digest is stored."""

    token_id: str
    """Its id."""
    user_name: str
    """Whose it is."""
    label: str
    """What it is for."""
    created_at: AwareDatetime
    """UTC."""
    secret: SecretStr
    """What to send: ``secret.get_secret_value()``."""


class ConfigSetting(State):
    """One setting."""

    key: str
    """Dotted name."""
    value: Any
    """Its value; a ``SecretStr`` when it is a secret text."""
    secret: bool
    """Whether it is masked wherever it is recorded."""
    scope: str
    """Which layer of the configuration holds it."""


class Plan(State):
    """A change to a project, from the wish to the commit."""

    plan_id: str
    """Its id."""
    action: str
    """What it is to do, in words."""
    project_path: str
    """The project's directory."""
    project_name: str
    """The directory's name."""
    phase: Phase
    """What it is about at the moment."""
    processing_state: ProcessingState
    """How far that has come."""
    strategy: str | None = None
    """How it is to be done, in words."""
    error: str | None = None
    """Why it ended, when it failed."""
    tool_name: str | None = None
    """What does its work."""
    last_step: str | None = None
    """Last step that its work completed."""
    steps_done: int = 0
    """Steps that its work completed."""
    steps_total: int | None = None
    """Steps that its work announced."""
    changeset_id: str | None = None
    """Commit that its work left on the sandbox's branch."""
    created_by: str | None
    """Identity that created it."""
    created_at: AwareDatetime
    """UTC."""
    updated_at: AwareDatetime
    """UTC."""


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


class Execution(State):
    """How a plan's work ended."""

    plan_id: str
    """Whose work."""
    sandbox: Sandbox
    """Where it ran."""
    changeset_id: str
    """Commit that it left; the sandbox's first commit when it changed nothing."""
    files_changed: int
    """How many files it changed."""
    steps_done: int
    """Steps that it completed."""
    output: str
    """End of what it printed."""
    seconds: float
    """How long it ran."""


class Applied(State):
    """What an apply did to the project."""

    plan_id: str
    """Whose changes."""
    commit_before: str
    """The project's commit before."""
    commit_after: str
    """The project's commit after."""
    files_changed: int
    """How many files differ."""
    lines_added: int
    """As counted by ``git diff --numstat``."""
    lines_removed: int
    """As counted by ``git diff --numstat``."""
    validations: tuple[ValidationOutcome, ...]
    """The validation commands that it passed."""
    seconds: float
    """How long it took."""


class StoppedWork(State):
    """What stopping a plan's work gave back."""

    released: tuple[ReleasedResource, ...] = ()
    """Its processes."""
    failed: tuple[UnreleasedResource, ...] = ()
    """Processes that could not be ended."""


class Cancellation(State):
    """How a cancellation ended; the same facts are in ``plan.cancelled``."""

    plan_id: str
    """Which plan."""
    reason: str
    """Why."""
    phase: Phase
    """Phase at the time of the request."""
    released: tuple[ReleasedResource, ...]
    """What was given back."""
    failed: tuple[UnreleasedResource, ...]
    """What could not be."""
    seconds: float
    """How long it took."""
