"""How the commands ended that a plan has to pass."""

from __future__ import annotations

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
