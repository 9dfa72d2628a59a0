"""CancellationOrchestrator: stops a plan, collects what it held, and records one entry.

Each cancellation runs on a thread of its own (`minutebook.actors.cancelling.run`), so that the
actor stays free for others, also for those of the plan's children.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any, Final

from minutebook.actors.base import ASK_TIMEOUT_S, LATER, Ask, Later, Service, StatefulActor, handles
from minutebook.actors.cancelling.context import Neighbours
from minutebook.actors.cancelling.entry import answer_of, cancellation_of
from minutebook.actors.cancelling.record import CancellationRecord, Row
from minutebook.actors.cancelling.run import CancellationRun, ended
from minutebook.actors.holding import Holders
from minutebook.actors.outbox import Outbox
from minutebook.actors.reply import Reply
from minutebook.domain.commands import CancelPlan, GetCancellation, GetPlan
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import UnknownCancellation
from minutebook.domain.plan import Phase, ProcessingState, is_ended
from minutebook.domain.state import Cancellation, Plan

DEADLINE_S: Final = 10.0
"""How long holders are waited for, when nobody says otherwise."""


class CancellationOrchestrator(StatefulActor):
    """Asks everybody who holds something of a plan to give it back, at once and once.

    Args:
        service, outbox: as for every `StatefulActor`.
        ask_plans, ask_apply, ask_sandboxes, ask_sessions: the other actors.
        holders: those of the host.
        deadline_s: of a cancellation that says none.
    """

    name = "cancellation"

    def __init__(
        self,
        service: str,
        outbox: Outbox,
        ask_plans: Ask,
        ask_apply: Ask,
        ask_sandboxes: Ask,
        ask_sessions: Ask,
        holders: Holders,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        super().__init__(service, outbox)
        self._record = CancellationRecord(outbox)
        ask_itself = Service(self.actor_inbox).ask  # type: ignore[arg-type]
        self._neighbours = Neighbours(ask_plans, ask_apply, ask_sandboxes, ask_sessions, ask_itself)
        self._holders = holders
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._runs: dict[str, CancellationRun] = {}

    def on_stop(self) -> None:
        """Let what runs come to its end; what does not is gone on with at the next start."""
        with self._lock:
            running = list(self._runs.values())
        for run in running:
            run.wait(ASK_TIMEOUT_S)
        self._record.close()

    def _catch_up(self) -> None:
        self._record.catch_up()
        for row in self._record.take_over():
            with self._lock:
                is_running = row.plan_id in self._runs
            if not is_running:
                self._start(row)

    @handles(CancelPlan)
    def cancel(self, command: CancelPlan) -> Cancellation | Later:
        """Stop a plan; a second one gets the result of the first."""
        reply = self.request.reply
        row = self._record.find(command.plan_id)
        if row is None:
            row = self._begin(command)
        if row.state == "done":
            return answer_of(row)
        with self._lock:
            run = self._runs.get(row.plan_id)
            if run is not None and run.join(reply):
                return LATER
        # It may have ended between the two looks.
        row = self._record.find(command.plan_id) or row
        if row.state == "done":
            return answer_of(row)
        self._start(row, reply)
        return LATER

    @handles(GetCancellation)
    def get(self, command: GetCancellation) -> Cancellation:
        """Say how a plan's cancellation stands."""
        row = self._record.find(command.plan_id)
        if row is None:
            self._plan(command.plan_id)
            msg = f"plan {command.plan_id} was not cancelled; cancel() it first."
            raise UnknownCancellation(msg)
        if row.state == "done":
            return answer_of(row)
        return cancellation_of(
            row, self._record.resources(row.plan_id), self._record.descendants(row.plan_id)
        )

    def _begin(self, command: CancelPlan) -> Row:
        plan = self._plan(command.plan_id)
        # One that a process of version 1 died with has no row, and is brought to its end.
        stuck = (Phase.CANCELLED, ProcessingState.PROCESSING)
        if is_ended(plan.phase) and (plan.phase, plan.processing_state) != stuck:
            raise ended(plan)
        deadline_s = self._deadline_s if command.deadline_s is None else command.deadline_s
        self._record.begin(
            plan,
            entry_id=new_id(),
            binding=self.request.binding,
            reason=command.reason,
            policy=command.policy,
            deadline_s=deadline_s,
            requested_at=datetime.now(UTC),
        )
        row = self._record.find(command.plan_id)
        assert row is not None, command
        return row

    def _plan(self, plan_id: str) -> Plan:
        plan: Plan = self._neighbours.plans(GetPlan(plan_id=plan_id)).get(timeout=ASK_TIMEOUT_S)
        return plan

    def _start(self, row: Row, *replies: Reply[Any]) -> None:
        run = CancellationRun(
            row, self._record, self._neighbours, self._holders.all(), self.source, replies
        )
        with self._lock:
            self._runs[row.plan_id] = run
        run.start(self._forget)

    def _forget(self, run: CancellationRun) -> None:
        with self._lock:
            if self._runs.get(run.plan_id) is run:
                del self._runs[run.plan_id]
