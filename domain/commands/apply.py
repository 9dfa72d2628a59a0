"""What may be asked of the PlanApplyActor."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from minutebook.domain.commands.base import Command, Name


class ExecutePlan(Command):
    """Run a plan's work in a sandbox; answered, when it has ended, with an `Execution`."""

    plan_id: Name
    work: Any
    """A `minutebook.actors.work.spec.WorkSpec`."""
    sandbox_directory: Name | None = None
    """Where its sandboxes are made; where the system makes them, when not given."""
    keep: bool = False
    """Whether its sandboxes survive the plan's end."""
    bytes_max: Annotated[int, Field(ge=1)] | None = None
    """Most bytes of its sandboxes' files; the system's limit when not given."""
    files_max: Annotated[int, Field(ge=1)] | None = None
    """Most files in its sandboxes; the system's limit when not given."""


class ApplyPlan(Command):
    """Merge a plan's changes into its project; answered with an `Applied`."""

    plan_id: Name
    validations: tuple[tuple[str, ...], ...] = ()
    validation_timeout_s: Annotated[float, Field(gt=0)] = 300.0


class StopWork(Command):
    """End a plan's work and its processes; answered with a `StoppedWork`."""

    plan_id: Name
