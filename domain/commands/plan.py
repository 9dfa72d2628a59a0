"""What may be asked of the PlanLifecycleActor."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from minutebook.domain.commands.base import Command, Name
from minutebook.domain.plan import PROJECTS_MAX, Phase


class CreatePlan(Command):
    """Make a plan for projects; answered with the `Plan`."""

    action: Name
    projects: Annotated[tuple[Name, ...], Field(min_length=1, max_length=PROJECTS_MAX)]
    parent_plan_id: Name | None = None
    needs_approval: bool = False
    attempts_max: Annotated[int, Field(ge=1, le=1000)] = 10


class GetPlan(Command):
    """Answered with the `Plan`."""

    audited = False
    plan_id: Name


class ListPlans(Command):
    """Answered with a tuple of `Plan`, oldest first."""

    audited = False
    phase: Phase | None = None
    parent_plan_id: Name | None = None
    """Only the children of that one."""


class StrategizePlan(Command):
    """Say how a plan is to be done; answered with the `Plan`."""

    plan_id: Name
    strategy: Name


class DeletePlan(Command):
    """Delete what is known of a plan that has ended; answered with the `Plan`."""

    plan_id: Name


class BeginPhase(Command):
    """A worker takes a plan into a phase; answered with the `Plan`."""

    plan_id: Name
    phase: Phase
    tool_name: str | None = None
    """What is about to work, when it is to be noted."""


class NoteProgress(Command):
    """A worker says how far the plan's work has come."""

    plan_id: Name
    last_step: str | None
    steps_done: int
    steps_total: int | None


class CompletePhase(Command):
    """A worker has done with a phase; answered with the `Plan`."""

    plan_id: Name
    phase: Phase
    changeset_id: str | None = None


class CompleteApply(Command):
    """The apply worker has moved the project; answered with the `Plan`."""

    plan_id: Name
    applied: Any
    """An `Applied`."""
    resources: tuple[str, ...]
    """Paths of the files."""


class FailPlan(Command):
    """A step of a plan has failed, which ends it; answered with the `Plan`."""

    plan_id: Name
    error: str
    error_type: str


class ConstrainPlan(Command):
    """A plan broke one of its limits, which ends it; answered with the `Plan`."""

    plan_id: Name
    reason: str


class NoteProcess(Command):
    """A worker has started the first process of a plan's work."""

    plan_id: Name
    mark: Name
    """In the environment of each process of the work."""
    pid: int
    pid_started: int | None
    """As in ``/proc/<pid>/stat``; ``None`` where there is none."""


class LeavePlan(Command):
    """A worker has done with a plan, for good or ill, and holds nothing of it any more."""

    plan_id: Name


class BeginCancel(Command):
    """Take a plan out of its phase for ever; answered with the `Plan` as it was before."""

    plan_id: Name
