"""What the PlanLifecycleActor tells."""

from __future__ import annotations

from minutebook.domain.event import AuditEvent
from minutebook.domain.events.validation import ValidationOutcome
from minutebook.domain.plan import Phase


class PlanCreated(AuditEvent, type="plan.created"):
    """PlanLifecycleActor: a plan was made, named by ``plan_id``."""

    action: str
    """What it is to do, in words."""
    project_paths: tuple[str, ...]
    """Directories of the projects that it is to change."""
    parent_plan_id: str | None = None
    """Plan that it is a part of."""


class PlanPhaseChanged(AuditEvent, type="plan.phase_changed"):
    """PlanLifecycleActor: a plan went on to another phase; why, in ``outcome_reason``."""

    phase_from: Phase
    """Phase that it left."""
    phase_to: Phase
    """Phase that it entered."""


class PlanErrored(AuditEvent, type="plan.errored", outcome="failure", severity="error"):
    """PlanLifecycleActor: a plan ended because a step of it failed; its project is unchanged."""

    phase: Phase
    """Phase in which it failed."""
    error: str
    """What failed, in words."""
    error_type: str
    """Class of the error."""


class PlanApplied(AuditEvent, type="plan.applied"):
    """PlanLifecycleActor: a plan's changes are in its project."""

    files_changed: int
    """How many files differ between before and after."""
    lines_added: int
    """As counted by ``git diff --numstat``."""
    lines_removed: int
    """As counted by ``git diff --numstat``."""
    resources_modified: tuple[str, ...]
    """Paths of the files, as far as they fit; the rest is counted in `resources_omitted`."""
    resources_omitted: int = 0
    """How many paths did not fit; each has its ``resource.modified``."""
    validations: tuple[ValidationOutcome, ...]
    """The validation commands that it had to pass."""
    apply_duration_s: float
    """Seconds from the apply command to the project's new commit."""
