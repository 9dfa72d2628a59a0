"""What the PlanApplyActor answers with."""

from __future__ import annotations

from minutebook.domain.events.apply import AppliedProject
from minutebook.domain.events.cancellation import ReleasedResource, UnreleasedResource
from minutebook.domain.events.validation import ValidationOutcome
from minutebook.domain.state.base import State
from minutebook.domain.state.sandbox import Sandbox


class ProjectChangeset(State):
    """What a plan's work left for one project."""

    project_name: str
    """Which project."""
    commit: str
    """Commit that it left; the sandbox's first one when it changed nothing."""
    files_changed: int
    """How many files it changed."""


class Execution(State):
    """How a plan's work ended."""

    plan_id: str
    """Whose work."""
    sandbox: Sandbox
    """Where it ran: the first project's."""
    changeset_id: str
    """Commit that it left; the sandbox's first commit when it changed nothing.

    Of several projects, ``name@commit`` for each, with a space between.
    """
    changesets: tuple[ProjectChangeset, ...]
    """What it left for each project."""
    files_changed: int
    """How many files it changed, in all projects."""
    steps_done: int
    """Steps that it completed."""
    output: str
    """End of what it printed."""
    seconds: float
    """How long it ran."""


class Applied(State):
    """What an apply did to the plan's projects."""

    plan_id: str
    """Whose changes."""
    commit_before: str
    """The first project's commit before."""
    commit_after: str
    """The first project's commit after."""
    projects: tuple[AppliedProject, ...]
    """Each of the plan's projects, in its order."""
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
