"""What may be asked of the CancellationOrchestrator."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minutebook.domain.commands.base import Command, Name
from minutebook.domain.events.cancellation import CancelPolicy

DEADLINE_S_MAX = 3600.0
"""Longest deadline of a cancellation, in seconds."""


class CancelPlan(Command):
    """Stop a plan and give back what it holds; answered with a `Cancellation`."""

    plan_id: Name
    reason: Name
    deadline_s: Annotated[float, Field(gt=0, le=DEADLINE_S_MAX)] | None = None
    """How long the holders are waited for; ``None`` for the setting ``cancel_deadline``."""
    policy: CancelPolicy = "wait"


class GetCancellation(Command):
    """Answered with the `Cancellation` of a plan, done or not."""

    audited = False
    plan_id: Name
