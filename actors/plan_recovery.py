"""What becomes of a plan whose worker died.

A row in `plan_workers` is there from the moment when a system begins to execute a plan until
that system holds nothing of the plan any more. When the system is gone (its producer is, by the
same rule as for the outbox, and its process too), whoever finds the row first takes it over and
puts the plan right: what is left of its processes is killed, its sandboxes are released, and it
ends as errored. A row of a system that lives is nobody else's business.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from minutebook.actors.base import ASK_TIMEOUT_S, Ask
from minutebook.actors.outbox import Outbox
from minutebook.actors.plan_workers import PlanWorkers
from minutebook.actors.work.survivors import kill_survivors, start_time
from minutebook.domain.commands import FailPlan, ReleaseSandbox
from minutebook.domain.context import bind
from minutebook.domain.errors import MinutebookError, UnknownPlan, UnknownSandbox

logger = logging.getLogger("minutebook.actors")


class PlanRecovery(PlanWorkers):
    """The part of the actor that looks for plans whose worker died.

    Args:
        service, outbox: as for every `StatefulActor`.
        ask_sandboxes: releases what an ended plan holds.
    """

    def __init__(self, service: str, outbox: Outbox, ask_sandboxes: Ask) -> None:
        super().__init__(service, outbox, ask_sandboxes)
        self._taken_over: dict[str, dict[str, Any]] = {}

    def _catch_up(self) -> None:
        super()._catch_up()
        self._take_over()
        for plan_id, worker in tuple(self._taken_over.items()):
            with bind(plan_id=plan_id):
                try:
                    self._put_right(plan_id, worker)
                # The next look tries again, and the others are not kept waiting.
                except MinutebookError as error:
                    logger.warning(
                        "%s: plan %s is still as a process left it that died: %s",
                        self.source,
                        plan_id,
                        error,
                    )

    def _take_over(self) -> None:
        rows = self._database.rows(
            "SELECT * FROM plan_workers WHERE producer <> ?", (self._outbox.producer,)
        )
        for row in rows:
            if not self._outbox.is_gone(row["producer"]) or _lives(row):
                continue
            # Only one of those who find it gets it.
            taken = self._database.row(
                "UPDATE plan_workers SET producer = ? WHERE plan_id = ? AND producer = ?"
                " RETURNING *",
                (self._outbox.producer, row["plan_id"], row["producer"]),
            )
            if taken is not None:
                self._taken_over[row["plan_id"]] = taken

    def _put_right(self, plan_id: str, worker: dict[str, Any]) -> None:
        killed = kill_survivors(worker["mark"], worker["pid"], worker["pid_started"])
        failed = FailPlan(
            plan_id=plan_id,
            error=(
                f"the process that worked on it died; {killed} of its processes were left, and were"
                " ended: create a new plan, or correct this one."
            ),
            error_type="WorkerDied",
        )
        # Somebody may have cancelled it meanwhile, and deleted it.
        with contextlib.suppress(UnknownPlan, UnknownSandbox):
            self.fail(failed)
            self._ask_sandboxes(ReleaseSandbox(plan_id=plan_id)).get(timeout=ASK_TIMEOUT_S)
        self._database.execute("DELETE FROM plan_workers WHERE plan_id = ?", (plan_id,))
        del self._taken_over[plan_id]
        logger.warning("%s: plan %s was put right: its worker had died", self.source, plan_id)


def _lives(worker: dict[str, Any]) -> bool:
    """Tell whether the process is there, whatever has become of its journal."""
    started = worker["host_started"]
    return started is not None and start_time(worker["host_pid"]) == started
