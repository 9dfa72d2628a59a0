"""What is said of a cancellation: to who asks, and in its one entry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from minutebook.actors.cancelling.record import Row
from minutebook.actors.cancelling.resource_record import FAILED, RELEASED, Resource
from minutebook.domain.envelope import Outcome
from minutebook.domain.events import (
    ChildPlans,
    PendingResource,
    PlanCancelled,
    PlanProgress,
    ReleasedResource,
    UnreleasedResource,
)
from minutebook.domain.fitting import fit
from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.resources import (
    CHILD_PLAN,
    DIRECTORY,
    FILE_LOCK,
    GIT_BRANCH,
    GIT_WORKTREE,
    PROCESS,
    SESSION,
    TEMP_FILE,
)
from minutebook.domain.state import Cancellation, Plan

_ORDER: Final = (
    (CHILD_PLAN,),
    (PROCESS,),
    (GIT_WORKTREE, GIT_BRANCH, DIRECTORY),
    (TEMP_FILE,),
    (FILE_LOCK,),
    (SESSION,),
)
"""In which kinds are listed, a work tree with its branch; those of hosts come last."""


def cancellation_of(
    row: Row,
    resources: Sequence[Resource],
    children: Sequence[dict[str, Any]],
    completed_at: datetime | None = None,
) -> Cancellation:
    """Return how a cancellation stands.

    Args:
        row: it.
        resources: what its plan held.
        children: the plans below it.
        completed_at: when it was, if it is about to be done.
    """
    resources = sorted(resources, key=_place)
    return Cancellation.model_validate(
        {
            "plan_id": row.plan_id,
            "entry_id": row.entry_id,
            "state": row.state if completed_at is None else "done",
            "reason": row.reason,
            "requested_by": row.requested_by,
            "policy": row.policy,
            "apply_outcome": row.apply_outcome,
            "phase": row.phase,
            "processing_state": row.processing_state,
            "child_plans": child_plans(children),
            "released": tuple(
                ReleasedResource(kind=held.kind, id=held.id, **freed._asdict())
                for held, state, freed, _ in resources
                if state == RELEASED
            ),
            "failed": tuple(
                UnreleasedResource(kind=held.kind, id=held.id, error=error)
                for held, state, _, error in resources
                if state == FAILED
            ),
            "pending": tuple(
                PendingResource(kind=held.kind, id=held.id, why=error or "no answer so far")
                for held, state, _, error in resources
                if state not in (RELEASED, FAILED)
            ),
            "requested_at": row.requested_at,
            "completed_at": completed_at,
            "seconds": 0.0
            if completed_at is None
            else max(0.0, round((completed_at - row.requested_at).total_seconds(), 6)),
        }
    )


def answer_of(row: Row) -> Cancellation:
    """Return the result of a cancellation that is done."""
    assert row.answer is not None, row
    return Cancellation.model_validate(json.loads(row.answer))


def answer_text(cancellation: Cancellation) -> str:
    """Return a result as it is kept; `answer_of` reads it."""
    # Not by pydantic, which cannot write the lone surrogates of a path that is not UTF-8.
    return json.dumps(cancellation.model_dump(mode="json"))


def child_plans(children: Sequence[dict[str, Any]]) -> ChildPlans:
    """Sort the plans below a plan by how they ended."""
    ends: dict[str, list[str]] = {"completed": [], "cancelled": [], "failed": []}
    for child in children:
        if child["phase"] == Phase.APPLIED:
            end = "completed"
        elif (child["phase"], child["processing_state"]) == (
            Phase.CANCELLED,
            ProcessingState.COMPLETE,
        ):
            end = "cancelled"
        else:
            end = "failed"
        ends[end].append(child["plan_id"])
    return ChildPlans(**{end: tuple(ids) for end, ids in ends.items()})


def entry_of(cancellation: Cancellation, plan: Plan, found: dict[str, Any]) -> PlanCancelled:
    """Return the entry of a cancellation that is about to be done.

    Args:
        cancellation: it.
        plan: as it is now.
        found: what was found out before it was released.
    """
    released, more_released = fit(cancellation.released, _size)
    failed, more_failed = fit(cancellation.failed, _size)
    pending, more_pending = fit(cancellation.pending, _size)
    assert cancellation.completed_at is not None, cancellation
    return PlanCancelled(
        id=cancellation.entry_id,
        plan_id=plan.plan_id,
        project_names=plan.project_names,
        outcome=_outcome(cancellation),
        outcome_reason=cancellation.reason,
        reason=cancellation.reason,
        requested_by=cancellation.requested_by,
        phase=cancellation.phase,
        processing_state=cancellation.processing_state,
        last_completed_step=plan.last_step,
        progress=PlanProgress(
            steps_done=plan.steps_done,
            steps_total=plan.steps_total,
            files_touched=found.get("files_touched"),
        ),
        sandbox_refs=tuple(found.get("sandbox_refs", ())),
        changeset_id=plan.changeset_id,
        child_plans=cancellation.child_plans,
        released=released,
        failed=failed,
        pending=pending,
        omitted=more_released + more_failed + more_pending,
        policy=cancellation.policy,
        apply_outcome=cancellation.apply_outcome,
        requested_at=cancellation.requested_at,
        completed_at=cancellation.completed_at,
        duration_s=cancellation.seconds,
    )


def _outcome(cancellation: Cancellation) -> Outcome:
    if cancellation.failed or cancellation.apply_outcome == "applied":
        return "failure"
    return "unknown" if cancellation.pending else "success"


def _size(part: ReleasedResource | UnreleasedResource | PendingResource) -> int:
    return 6 * sum(len(value) for value in part.__dict__.values() if isinstance(value, str)) + 120


def _place(resource: Resource) -> int:
    # Holders answer in any order; sorting keeps that of equals.
    kind = resource.held.kind
    return next((place for place, kinds in enumerate(_ORDER) if kind in kinds), len(_ORDER))
