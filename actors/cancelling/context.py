"""What the parts of one cancellation have in common."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple

from minutebook.actors.base import Ask
from minutebook.actors.cancelling.record import CancellationRecord, Row
from minutebook.actors.ledger.flag import Flag


class Neighbours(NamedTuple):
    """How the other actors are asked, and the orchestrator itself."""

    plans: Ask
    apply: Ask
    sandboxes: Ask
    sessions: Ask
    cancellation: Ask


@dataclass
class Context:
    """A cancellation that is under way."""

    row: Row
    """Its row when it was begun, or resumed."""
    record: CancellationRecord
    """Where it is kept."""
    ask: Neighbours
    """The other actors."""
    deadline_at: float = field(init=False)
    """Of `time.monotonic`: when holders are not waited for any longer."""
    work_ended: Flag = field(default_factory=Flag)
    """Set when no process of the plan's work is left, and no thread follows it."""

    def __post_init__(self) -> None:
        self.deadline_at = time.monotonic() + self.row.deadline_s

    @property
    def plan_id(self) -> str:
        """The plan's id."""
        return self.row.plan_id

    def left_s(self) -> float:
        """Seconds until the deadline; 0 when it has passed."""
        return max(0.0, self.deadline_at - time.monotonic())
