"""The life of a plan, as a transition table.

A plan goes through *phases* (what it is about) and has in each a *processing state* (how
far that has come)::

    action -> strategize -> execute -> apply -> applied
       \\           \\           \\         \\
        `-----------`-----------`---------`--> cancelled | errored | constrained

A *correction* takes it back: from execute, or from an end that it met before its apply, into
strategize or execute once more.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from minutebook.domain.errors import IllegalTransition


class Phase(StrEnum):
    """What a plan is about at a time."""

    ACTION = "action"
    """Created from an action; nothing has been decided."""
    STRATEGIZE = "strategize"
    """How to do it is being decided."""
    EXECUTE = "execute"
    """Its work runs, or has run, in a sandbox."""
    APPLY = "apply"
    """Its changes are being merged, validated and moved into the project."""
    APPLIED = "applied"
    """The project has its changes; the end."""
    CANCELLED = "cancelled"
    """Stopped by someone; the end."""
    ERRORED = "errored"
    """Its work, merge or validation failed; the project is unchanged; the end."""
    CONSTRAINED = "constrained"
    """It cannot go on within its limits; the end."""


class ProcessingState(StrEnum):
    """How far a plan has come within its phase."""

    QUEUED = "queued"
    """Nothing of the phase has begun."""
    PROCESSING = "processing"
    """A process of the host works on it."""
    COMPLETE = "complete"
    """The phase is done."""
    FAILED = "failed"
    """The phase failed."""


PROJECTS_MAX: Final = 100
"""Most projects of a plan."""

DEPTH_MAX: Final = 8
"""Most plans from one without a parent down to its last child's child."""

_ENDS: Final = frozenset({Phase.APPLIED, Phase.CANCELLED, Phase.ERRORED, Phase.CONSTRAINED})

_GIVING_UP: Final = (Phase.CANCELLED, Phase.ERRORED, Phase.CONSTRAINED)

TRANSITIONS: Final[dict[Phase, tuple[Phase, ...]]] = {
    Phase.ACTION: (Phase.STRATEGIZE, *_GIVING_UP),
    Phase.STRATEGIZE: (Phase.EXECUTE, *_GIVING_UP),
    Phase.EXECUTE: (Phase.APPLY, *_GIVING_UP),
    Phase.APPLY: (Phase.APPLIED, *_GIVING_UP),
    Phase.APPLIED: (),
    Phase.CANCELLED: (),
    Phase.ERRORED: (),
    Phase.CONSTRAINED: (),
}
"""For each phase, those that may follow it."""


CorrectionMode = Literal["revert", "append"]
"""Whether a correction undoes what came after the decision, or goes on on top of it."""

CORRECTIONS: Final[dict[Phase, tuple[Phase, ...]]] = {
    Phase.STRATEGIZE: (Phase.STRATEGIZE,),
    Phase.EXECUTE: (Phase.STRATEGIZE, Phase.EXECUTE),
}
"""For a phase, those that a correction may have re-entered; of an end, where it was met counts.

Never while something works on the plan, from or after its apply, or when it was cancelled.
"""


def check_correction(
    plan_id: str, current: Phase, state: ProcessingState, ended_in: Phase | None, wanted: Phase
) -> None:
    """Refuse a correction that the table does not have.

    Args:
        plan_id: for the message.
        current: the plan's phase.
        state: how far it is in that.
        ended_in: where it was when it ended, if it has.
        wanted: the phase that the correction names.

    Raises:
        IllegalTransition: naming the legal phases.
    """
    if state is ProcessingState.PROCESSING:
        msg = f"plan {plan_id} is being worked on; wait until that has ended, or cancel it."
        raise IllegalTransition(msg)
    legal = CORRECTIONS.get(current if ended_in is None else ended_in, ())
    if wanted in legal:
        return
    where = current if ended_in is None else f"{current} (in {ended_in})"
    hint = f"it may re-enter {', '.join(legal)}" if legal else "create a new plan"
    msg = f"plan {plan_id} is in phase {where} and cannot re-enter {wanted}: {hint}."
    raise IllegalTransition(msg)


def is_ended(phase: Phase) -> bool:
    """Tell whether nothing follows the phase."""
    return phase in _ENDS


def check_transition(plan_id: str, current: Phase, wanted: Phase) -> None:
    """Refuse a step that the table does not have.

    Raises:
        IllegalTransition: naming the legal steps.
    """
    legal = TRANSITIONS[current]
    if wanted in legal:
        return
    if not legal:
        hint = "it has ended; create a new plan"
    else:
        hint = f"from {current} it may go to {', '.join(legal)}"
    msg = f"plan {plan_id} is in phase {current} and cannot go to {wanted}: {hint}."
    raise IllegalTransition(msg)
