"""How far cancellations have come, in the app database: what it takes to bring one to its end.

One row for each plan whose cancel was taken up, with the steps of `CancelState`, and one for
each resource that the plan held. What a step does is done after it was persisted, so that who
finds the rows of a process that died goes on with the last one. A row belongs to the system
whose ``producer`` it names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from minutebook.actors.cancelling.resource_record import (
    HELD,
    NOT_REGISTERED,
    PENDING,
    ResourceRecord,
    Waiting,
    unsaid,
)
from minutebook.actors.work.survivors import start_time
from minutebook.domain.context import Binding
from minutebook.domain.entry import to_microseconds
from minutebook.domain.events import CancelPolicy
from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.state import CancelState, Plan


class Row(NamedTuple):
    """A cancellation, as it is kept."""

    plan_id: str
    entry_id: str
    producer: str
    binding: Binding
    reason: str
    requested_by: str | None
    policy: CancelPolicy
    deadline_s: float
    state: CancelState
    phase: Phase
    processing_state: ProcessingState
    apply_outcome: str
    found: dict[str, Any]
    """What was found out before it was released."""
    requested_at: datetime
    completed_at: datetime | None
    """When nobody was waited for any longer."""
    answer: str | None
    """JSON of the `Cancellation`, when it is done."""


class CancellationRecord(ResourceRecord):
    """All rows of cancellations, for the orchestrator and the threads of its cancellations.

    Args:
        outbox: the actor's.
    """

    @property
    def producer(self) -> str:
        """The system's."""
        return self._outbox.producer

    def find(self, plan_id: str) -> Row | None:
        """Look up a plan's cancellation."""
        rows = self._rows("WHERE plan_id = ?", plan_id)
        return rows[0] if rows else None

    def begin(
        self,
        plan: Plan,
        *,
        entry_id: str,
        binding: Binding,
        reason: str,
        policy: CancelPolicy,
        deadline_s: float,
        requested_at: datetime,
    ) -> None:
        """Note that a plan is to be cancelled, before anything is done."""
        with self._lock:
            self._database.execute(
                # Another process may have been as quick.
                "INSERT OR IGNORE INTO cancellations (plan_id, entry_id, producer, binding, reason,"
                " requested_by, policy, deadline_s, state, phase, processing_state, requested_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'requested', ?, ?, ?)",
                (
                    plan.plan_id,
                    entry_id,
                    self.producer,
                    json.dumps(binding._asdict()),
                    reason,
                    binding.user_identity,
                    policy,
                    deadline_s,
                    plan.phase.value,
                    plan.processing_state.value,
                    to_microseconds(requested_at),
                ),
            )

    def forget(self, plan_id: str) -> None:
        """Nothing was done: the plan had ended."""
        with self._lock:
            self._database.execute("DELETE FROM cancellations WHERE plan_id = ?", (plan_id,))

    def step(self, plan_id: str, state: CancelState, **more: object) -> None:
        """Go on to a step."""
        columns = "".join(f", {column} = ?" for column in more)
        with self._lock:
            self._database.execute(
                f"UPDATE cancellations SET state = ?{columns} WHERE plan_id = ?",
                (state, *more.values(), plan_id),
            )

    def note_found(self, plan_id: str, **found: object) -> None:
        """Keep what cannot be found out again, when the resources are released."""
        with self._lock, self._database.transaction():
            self._database.execute(
                "UPDATE cancellations SET found = json_patch(?, found) WHERE plan_id = ?",
                (json.dumps(found), plan_id),
            )

    # -- the holders' answers ---------------------------------------------------

    def collect(
        self, plan_id: str, waiting: Callable[[], dict[str, Waiting]], **more: object
    ) -> None:
        """Wait for nobody any longer: what is still held is pending from now on.

        Args:
            plan_id: whose.
            waiting: returns the holders that have not done, by name.
            more: what else the step ``collected`` has.
        """
        with self._lock, self._database.transaction():
            late = waiting()
            for owner, holder in late.items():
                if not holder.has_said:
                    self._insert(unsaid(owner, plan_id))
            for resource in self._resources(plan_id):
                if resource.state == HELD:
                    holder = late.get(resource.held.owner, NOT_REGISTERED)
                    self.answered(resource.held, PENDING, error=holder.why)
            self.step(plan_id, "collected", **more)

    # -- the end --------------------------------------------------------------

    def end(self, plan_id: str, answer: str) -> None:
        """The cancellation is done; within the block of `recorded` that tells the entry."""
        self._database.execute(
            "UPDATE cancellations SET state = 'done', answer = ? WHERE plan_id = ?",
            (answer, plan_id),
        )
        # In one transaction with the entry: a plan never seems to be done with before that.
        self._database.execute(
            "UPDATE plans SET processing_state = 'complete' WHERE plan_id = ?"
            " AND phase = 'cancelled'",
            (plan_id,),
        )
        # What is known of processes that go on is needed to find them.
        self._database.execute(
            "DELETE FROM plan_workers WHERE plan_id = ?1 AND NOT EXISTS (SELECT 1 FROM"
            " cancelled_resources WHERE plan_id = ?1 AND kind = 'process' AND state <> 'released')",
            (plan_id,),
        )

    def descendants(self, plan_id: str) -> list[dict[str, Any]]:
        """Return ids, phases and processing states of the plans below a plan."""
        with self._lock:
            return self._database.rows(
                "WITH RECURSIVE below (plan_id) AS ("
                " SELECT plan_id FROM plans WHERE parent_plan_id = ?"
                " UNION SELECT plans.plan_id FROM plans JOIN below"
                " ON plans.parent_plan_id = below.plan_id)"
                " SELECT plan_id, phase, processing_state FROM plans JOIN below USING (plan_id)"
                " ORDER BY plans.created_at, plans.rowid",
                (plan_id,),
            )

    def sandbox_paths(self, plan_id: str) -> list[str]:
        """Return where the plan's sandboxes are, without asking who keeps them."""
        with self._lock:
            rows = self._database.rows(
                "SELECT path FROM sandboxes WHERE plan_id = ? AND released_at IS NULL"
                " ORDER BY created_at, rowid",
                (plan_id,),
            )
        return [row["path"] for row in rows]

    def worker(self, plan_id: str) -> dict[str, Any] | None:
        """Return the row of who works on a plan."""
        with self._lock:
            return self._database.row("SELECT * FROM plan_workers WHERE plan_id = ?", (plan_id,))

    def is_worked_on_elsewhere(self, plan_id: str) -> bool:
        """Tell whether another process that lives executes or applies a plan."""
        with self._lock:
            applies = self._database.rows(
                "SELECT producer FROM intents WHERE actor = 'apply' AND detail ->> 'plan_id' = ?",
                (plan_id,),
            )
        if any(self.is_elsewhere(row["producer"]) for row in applies):
            return True
        worker = self.worker(plan_id)
        if worker is None or worker["producer"] == self.producer:
            return False
        return self.is_elsewhere(worker["producer"]) or _lives(worker)

    def is_elsewhere(self, producer: str) -> bool:
        """Tell whether a system is another one that lives."""
        return producer != self.producer and not self._outbox.is_gone(producer)

    # -- after a crash --------------------------------------------------------

    def catch_up(self) -> None:
        """See `Outbox.catch_up`."""
        with self._lock:
            self._outbox.catch_up()

    def take_over(self) -> list[Row]:
        """Take over what systems that are gone have not brought to its end; return all own."""
        with self._lock:
            others = self._database.rows(
                "SELECT DISTINCT producer FROM cancellations WHERE state <> 'done'"
                " AND producer <> ?",
                (self.producer,),
            )
            gone = [row["producer"] for row in others if self._outbox.is_gone(row["producer"])]
            for producer in gone:
                self._database.execute(
                    "UPDATE cancellations SET producer = ? WHERE producer = ? AND state <> 'done'",
                    (self.producer, producer),
                )
            return self._rows("WHERE state <> 'done' AND producer = ?", self.producer)

    def _rows(self, which: str, *parameters: object) -> list[Row]:
        with self._lock:
            rows = self._database.rows(
                f"SELECT {', '.join(Row._fields)} FROM cancellations {which} ORDER BY requested_at",
                parameters,
            )
        return [
            Row(
                **{
                    **row,
                    "binding": Binding(**json.loads(row["binding"])),
                    "phase": Phase(row["phase"]),
                    "processing_state": ProcessingState(row["processing_state"]),
                    "found": json.loads(row["found"]),
                }
            )
            for row in rows
        ]


def _lives(worker: dict[str, Any]) -> bool:
    """Tell whether another process is there, whatever has become of its journal."""
    pid, started = worker["host_pid"], worker["host_started"]
    return started is not None and pid != os.getpid() and start_time(pid) == started
