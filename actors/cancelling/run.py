"""One cancellation, from its request to its entry, on a thread of its own.

Each step is persisted before what comes after it, so that a run that was cut off is gone on
with from its last step, and everything in a step may be done again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from minutebook.actors.base import ASK_TIMEOUT_S, answer
from minutebook.actors.cancelling.asking import Asking
from minutebook.actors.cancelling.context import Context, Neighbours
from minutebook.actors.cancelling.entry import (
    answer_of,
    answer_text,
    cancellation_of,
    entry_of,
)
from minutebook.actors.cancelling.holders import OWN_HOLDERS
from minutebook.actors.cancelling.record import CancellationRecord, Row
from minutebook.actors.cancelling.resource_record import Waiting
from minutebook.actors.holding import Holder
from minutebook.actors.ledger.flag import Flag
from minutebook.actors.reply import Reply
from minutebook.domain.commands import BeginCancel, EndApply, GetPlan
from minutebook.domain.entry import to_microseconds
from minutebook.domain.errors import IllegalTransition
from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.state import Cancellation, Fence, Plan

logger = logging.getLogger("minutebook.actors")

_LOOK_S: Final = 0.05


class CancellationRun:
    """Brings one cancellation to its end.

    Args:
        row: where it stands.
        record: where it is kept.
        neighbours: the other actors.
        holders: those of the host.
        source: of what is told.
        replies: futures that get the result.
    """

    def __init__(
        self,
        row: Row,
        record: CancellationRecord,
        neighbours: Neighbours,
        holders: Sequence[Holder],
        source: str,
        replies: Sequence[Reply[Any]] = (),
    ) -> None:
        self.plan_id = row.plan_id
        """Whose it is."""
        self._row = row
        self._record = record
        self._ask = neighbours
        self._holders = holders
        self._source = source
        self._lock = threading.Lock()
        self._replies = list(replies)
        self._has_ended = False
        self._ended = Flag()

    def start(self, forget: Callable[[CancellationRun], None]) -> None:
        """Begin; `forget` is called at the end."""

        def run() -> None:
            result: Reply[Any] = Reply()
            answer(result, self._run)
            forget(self)
            with self._lock:
                self._has_ended = True
            for reply in self._replies:
                answer(reply, result.get)
            self._ended.set()

        threading.Thread(target=run, name=f"cancel-{self.plan_id}", daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, or for some time."""
        self._ended.wait(seconds)

    def join(self, reply: Reply[Any]) -> bool:
        """Have a future get the result, too; false when that has come already."""
        with self._lock:
            if not self._has_ended:
                self._replies.append(reply)
            return not self._has_ended

    def _run(self) -> Cancellation:
        row = self._row
        if self._record.is_elsewhere(row.producer):
            return self._follow()
        # What is told on the way is told because of the entry, which has its id already.
        inside = row.binding._replace(plan_id=row.plan_id, causation_id=row.entry_id)
        with inside.restored(source=self._source):
            if row.state == "requested":
                self._fence()
            if row.state in ("requested", "fenced"):
                self._record.step(row.plan_id, "asked")
            if row.state != "collected":
                self._ask_holders()
        outside = row.binding._replace(plan_id=row.plan_id)
        with outside.restored(source=self._source):
            return self._end()

    def _follow(self) -> Cancellation:
        """Wait for another process that has begun with it, or go on when that dies."""
        until = time.monotonic() + self._row.deadline_s + ASK_TIMEOUT_S
        while True:
            row = self._record.find(self.plan_id)
            if row is None:
                msg = f"plan {self.plan_id} had ended when it was to be cancelled."
                raise IllegalTransition(msg)
            if row.state == "done":
                return answer_of(row)
            if not self._record.is_elsewhere(row.producer):
                self._record.take_over()
                self._row = row._replace(producer=self._record.producer)
                return self._run()
            if time.monotonic() >= until:
                return self._standing(row)
            time.sleep(_LOOK_S)

    # -- the steps ------------------------------------------------------------

    def _fence(self) -> None:
        """Have no worker go on with the plan, and let an apply come to its end."""
        until = time.monotonic() + self._row.deadline_s + ASK_TIMEOUT_S
        while True:
            fence: Fence = self._ask.plans(BeginCancel(plan_id=self.plan_id)).get(
                timeout=ASK_TIMEOUT_S
            )
            row = self._record.find(self.plan_id)
            assert row is not None, self.plan_id
            was_applying = row.phase is Phase.APPLY
            if fence.outcome == "fenced":
                outcome = "rolled_back" if was_applying else "none"
                self._record.step(self.plan_id, "fenced", apply_outcome=outcome)
                return
            if fence.outcome == "ended":
                if was_applying and fence.plan.phase is Phase.APPLIED:
                    self._record.step(self.plan_id, "fenced", apply_outcome="applied")
                    return
                self._record.forget(self.plan_id)
                raise ended(fence.plan)
            self._record.step(
                self.plan_id,
                "requested",
                phase=Phase.APPLY.value,
                processing_state=ProcessingState.PROCESSING.value,
            )
            self._end_apply(until)

    def _end_apply(self, until: float) -> None:
        wait_s = self._row.deadline_s
        end = EndApply(plan_id=self.plan_id, wait_s=wait_s, undo=self._row.policy == "rollback")
        if self._ask.apply(end).get(timeout=wait_s + ASK_TIMEOUT_S):
            return
        # By another process; or this one is about to end what a dead one had begun.
        if time.monotonic() >= until:
            if self._record.is_worked_on_elsewhere(self.plan_id):
                self._record.forget(self.plan_id)
            msg = (
                f"plan {self.plan_id} is being applied by another process; cancel it there, or"
                " wait for that to end."
            )
            raise IllegalTransition(msg)
        time.sleep(_LOOK_S)

    def _ask_holders(self) -> None:
        self._record.note_found(self.plan_id, sandbox_refs=self._record.sandbox_paths(self.plan_id))
        context = Context(self._row, self._record, self._ask)
        project_names = self._plan().project_names
        holders = [*(own(context) for own in OWN_HOLDERS), *self._holders]
        askings = [Asking(holder, context, project_names, self._source) for holder in holders]
        for asking in askings:
            asking.start()
        for asking in askings:
            asking.wait(context.left_s())

        def waiting() -> dict[str, Waiting]:
            looked_at = {asking.name: asking.waiting() for asking in askings}
            return {name: wait for name, wait in looked_at.items() if wait is not None}

        now = to_microseconds(datetime.now(UTC))
        self._record.collect(self.plan_id, waiting, completed_at=now)

    def _end(self) -> Cancellation:
        row = self._record.find(self.plan_id)
        assert row is not None, self.plan_id
        assert row.completed_at is not None, row
        result = self._standing(row, row.completed_at)
        entry = entry_of(result, self._plan(), row.found)
        with self._record.recorded() as recording:
            self._record.end(self.plan_id, answer_text(result))
            recording.tell(entry)
        return result

    def _standing(self, row: Row, completed_at: datetime | None = None) -> Cancellation:
        return cancellation_of(
            row,
            self._record.resources(self.plan_id),
            self._record.descendants(self.plan_id),
            completed_at,
        )

    def _plan(self) -> Plan:
        plan: Plan = self._ask.plans(GetPlan(plan_id=self.plan_id)).get(timeout=ASK_TIMEOUT_S)
        return plan


def ended(plan: Plan) -> IllegalTransition:
    """Return why a plan cannot be cancelled that has ended."""
    said = "" if plan.error is None else f" ({plan.error.rstrip('.')})"
    where = "" if plan.ended_in is None else f", in phase {plan.ended_in},"
    return IllegalTransition(
        f"plan {plan.plan_id} has ended{where} and is in phase {plan.phase}{said}; what has ended"
        " cannot be cancelled: create a new plan."
    )
