"""What the PlanLifecycleActor answers with."""

from __future__ import annotations

from pydantic import AwareDatetime

from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.state.base import State


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
