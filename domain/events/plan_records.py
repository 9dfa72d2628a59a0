"""What the PlanLifecycleActor tells of how a plan came about, beside its phases."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from minutebook.domain.event import AuditEvent
from minutebook.domain.plan import CorrectionMode, Phase


class DecisionRecorded(AuditEvent, type="decision.recorded"):
    """PlanLifecycleActor: something was decided about a plan, by its work or by the host."""

    decision_id: str
    """Its id, for a correction."""
    question: str
    """What was to be decided."""
    choice: str
    """What was decided."""
    rationale: str | None
    """Why."""
    alternatives: tuple[str, ...]
    """What else could have been."""
    phase: Phase
    """The plan's phase then."""
    parent_decision_id: str | None
    """Decision that it follows from."""


class ToolInvoked(AuditEvent, type="tool.invoked"):
    """PlanLifecycleActor: a plan's work, or the host for it, used a tool.

    Arguments may hold anything: of them there is only a keyed fingerprint, so that it shows
    which invocations had the same ones. An ``outcome`` of failure says that the tool failed.
    """

    tool_name: str
    """Which tool."""
    arguments: SecretStr
    """Stored as a keyed fingerprint."""
    exit_code: int | None
    """Of a program; ``None`` for a function."""
    error: str | None
    """Why it failed, when more than the exit code says so."""
    seconds: float
    """How long it took."""
    phase: Phase
    """The plan's phase then."""


class CorrectionApplied(AuditEvent, type="correction.applied", severity="warning"):
    """PlanLifecycleActor: a decision was corrected, and its plan re-entered an earlier phase."""

    attempt_id: str
    """The new attempt's id."""
    original_decision_id: str
    """The decision that was corrected."""
    mode: CorrectionMode
    """``revert`` goes back to before the decision, ``append`` goes on from what is there."""
    guidance: str
    """What is to be done otherwise, in words."""
    phase_from: Phase
    """Phase that the plan left."""
    phase: Phase
    """Phase that it re-entered."""
    checkpoint_id: str | None
    """Where its sandboxes go back to; ``None`` for their beginning, or for none of it."""
    decisions_reverted: int
    """How many decisions are void, the original one among them."""


class ApprovalGranted(AuditEvent, type="approval.granted"):
    """PlanLifecycleActor: somebody approved of a plan."""

    subject: str
    """What was approved of: the changeset, or the action while there is none."""
    approver: str | None
    """Who did."""
    reason: str | None
    """Why."""
    gates: Literal["apply"]
    """Phase that could not be entered without."""


class ApprovalDenied(AuditEvent, type="approval.denied", outcome="denied", severity="warning"):
    """PlanLifecycleActor: somebody did not approve of a plan, which ends it as constrained."""

    subject: str
    """What was not approved of: the changeset, or the action while there is none."""
    approver: str | None
    """Who did not."""
    reason: str | None
    """Why not."""
    gates: Literal["apply"]
    """Phase that cannot be entered now."""
