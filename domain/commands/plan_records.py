"""What may be asked of the PlanLifecycleActor about how a plan came about."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from minutebook.domain.commands.base import Command, Name
from minutebook.domain.plan import CorrectionMode, Phase


class RecordDecision(Command):
    """Record what was decided about a plan; answered with the `Decision`."""

    plan_id: Name
    question: Name
    choice: Name
    rationale: Name | None = None
    alternatives: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    parent_decision_id: Name | None = None
    decision_id: Name | None = None
    """Its id, where its work has drawn one already."""


class ListDecisions(Command):
    """Answered with a tuple of `Decision`, oldest first."""

    audited = False
    plan_id: Name


class RecordTool(Command):
    """Record that a tool was used for a plan; answered with ``None``."""

    plan_id: Name
    tool_name: Name
    arguments: SecretStr
    """What identifies them; only a keyed fingerprint of it is stored."""
    ok: bool
    exit_code: int | None = None
    error: str | None = None
    seconds: Annotated[float, Field(ge=0)] = 0.0


class CorrectPlan(Command):
    """Correct a decision; answered with the `Correction`."""

    plan_id: Name
    decision_id: Name
    mode: CorrectionMode
    guidance: Name
    phase: Phase


class ListCorrections(Command):
    """Answered with a tuple of `Correction`, oldest first."""

    audited = False
    plan_id: Name


class ApprovePlan(Command):
    """Approve of a plan that needs it; answered with the `Plan`."""

    plan_id: Name
    reason: Name | None = None


class DenyPlan(Command):
    """Do not approve of a plan that needs it, which ends it; answered with the `Plan`."""

    plan_id: Name
    reason: Name | None = None
