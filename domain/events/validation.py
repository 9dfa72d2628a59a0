"""How the commands ended that a plan has to pass."""

from __future__ import annotations

from minutebook.domain.event import AuditEvent
from minutebook.domain.events.part import Part


class ValidationOutcome(Part):
    """How one validation command ended."""

    command: tuple[str, ...]
    """The command line."""
    passed: bool
    """Whether it exited with 0 in time."""
    exit_code: int | None
    """Its exit status; ``None`` when it was stopped at its time limit."""
    seconds: float
    """How long it ran."""


class _Validated(AuditEvent, abstract=True):
    """How a command ended that a plan has to pass."""

    command: tuple[str, ...]
    """The command line, its secrets masked."""
    exit_code: int | None
    """Its exit status; ``None`` when it was stopped."""
    seconds: float
    """How long it ran."""
    timed_out: bool = False
    """Whether it ran over its time limit and was killed, with all that it had started."""
    output_tail: str
    """The end of what it printed, its secrets masked."""


class ValidationPassed(_Validated, type="validation.passed"):
    """PlanApplyActor: a command that a plan has to pass ended with 0 in time."""


class ValidationFailed(_Validated, type="validation.failed", outcome="failure", severity="error"):
    """PlanApplyActor: a command that a plan has to pass did not, which ends the plan."""
