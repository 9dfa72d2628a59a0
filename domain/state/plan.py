"""What the PlanLifecycleActor answers with."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.state.base import State

ProjectKind = Literal["git", "directory"]
"""The top of a git work tree, or a directory that is in none."""


class PlanProject(State):
    """One of the projects that a plan is to change."""

    name: str
    """The directory's name; a number is added where another project of the plan has it."""
    path: str
    """Its directory, absolute, symbolic links resolved."""
    kind: ProjectKind
    """What it is."""


class Plan(State):
    """A change to one project or several, from the wish to the commit."""

    plan_id: str
    """Its id."""
    action: str
    """What it is to do, in words."""
    projects: tuple[PlanProject, ...]
    """What it is to change, as given; never empty."""
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
    parent_plan_id: str | None = None
    """Plan that it is a part of."""
    ended_in: Phase | None = None
    """Phase in which it failed or met a limit; ``None`` while neither has happened."""
    needs_approval: bool = False
    """Whether somebody has to approve of it before it is applied."""
    approval: Literal["granted", "denied"] | None = None
    """What was said to what it is now; ``None`` as long as nothing was."""
    attempts: int = 0
    """Executions that were begun."""
    attempts_max: int = 10
    """How many there may be."""
    created_by: str | None
    """Identity that created it."""
    created_at: AwareDatetime
    """UTC."""
    updated_at: AwareDatetime
    """UTC."""

    @property
    def project_path(self) -> str:
        """The first project's directory."""
        return self.projects[0].path

    @property
    def project_name(self) -> str:
        """The first project's name."""
        return self.projects[0].name

    @property
    def project_names(self) -> tuple[str, ...]:
        """The names of all projects, as events carry them."""
        return tuple(project.name for project in self.projects)
