"""What may be asked of the CancellationOrchestrator."""

from __future__ import annotations

from minutebook.domain.commands.base import Command, Name


class CancelPlan(Command):
    """Stop a plan and give back what it holds; answered with a `Cancellation`."""

    plan_id: Name
    reason: Name
