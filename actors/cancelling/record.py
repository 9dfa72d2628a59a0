"""How far cancellations have come, in the app database: what it takes to bring one to its end.

One row for each plan whose cancel was taken up, with the steps of `CancelState`, and one for
each resource that the plan held. What a step does is done after it was persisted, so that who
finds the rows of a process that died goes on with the last one. A row belongs to the system
whose ``producer`` it names.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Recording
from minutebook.actors.work.survivors import start_time
from minutebook.domain.context import Binding
from minutebook.domain.entry import to_microseconds
from minutebook.domain.events import CancelPolicy
from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.resources import Freed, HeldResource
from minutebook.domain.state import CancelState, Plan

HELD: Final = "held"
RELEASED: Final = "released"
FAILED: Final = "failed"
PENDING: Final = "pending"
"""The states of a resource."""


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


class Resource(NamedTuple):
    """A resource of a plan, as it is kept."""

    held: HeldResource
    state: str
    freed: Freed
    error: str
    """Why it is not free: of one that failed or is pending."""


class Waiting(NamedTuple):
    """A holder that has not done."""

    has_said: bool
    """Whether it has said what it holds."""
    why: str
    """What it was waited for."""


NOTHING: Final = Freed()

NOT_REGISTERED: Final = Waiting(
    has_said=True, why="its holder is not registered with the process that went on with this"
)
"""After a restart, of what a host's holder held."""


class CancellationRecord:
    """The orchestrator's outbox and rows, for the threads of its cancellations too.

    Args:
        outbox: the actor's.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._database = outbox.database
        self._lock = threading.RLock()
        self._closed = False

    @property
    def producer(self) -> str:
        """The system's."""
        return self._outbox.producer

    @contextmanager
    def recorded(self) -> Iterator[Recording]:
        """See `Outbox.recorded`; one thread at a time."""
        with self._lock, self._outbox.recorded() as recording:
            yield recording

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Have no other thread change anything meanwhile."""
        with self._lock:
            yield

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

    # -- resources ------------------------------------------------------------

    def hold(self, plan_id: str, owner: str, held: Sequence[HeldResource]) -> list[HeldResource]:
        """Note what a holder holds, before it is asked to release it; return all that it is to."""
        with self._lock, self._database.transaction():
            for resource in held:
                self._insert(resource)
            return [
                resource.held
                for resource in self._resources(plan_id)
                if resource.held.owner == owner
                and resource.state in (HELD, PENDING)
                and resource.held != unsaid(owner, plan_id)
            ]

    def answered(
        self, resource: HeldResource, state: str, freed: Freed = NOTHING, error: str = ""
    ) -> None:
        """Note how a release ended; within a transaction."""
        self._database.execute(
            "UPDATE cancelled_resources SET state = ?, bytes = ?, files = ?, seconds = ?,"
            " error = ? WHERE plan_id = ? AND kind = ? AND id = ?",
            (
                state,
                freed.bytes,
                freed.files,
                round(freed.seconds, 6),
                error,
                resource.plan_id,
                resource.kind,
                resource.id,
            ),
        )

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

    def _insert(self, resource: HeldResource) -> None:
        since = None if resource.since is None else to_microseconds(resource.since)
        self._database.execute(
            "INSERT OR IGNORE INTO cancelled_resources (plan_id, kind, id, owner, since_at, state)"
            " SELECT ?1, ?2, ?3, ?4, ?5, 'held'"
            # The plan may have been deleted before a late answer.
            " WHERE EXISTS (SELECT 1 FROM cancellations WHERE plan_id = ?1)",
            (resource.plan_id, resource.kind, resource.id, resource.owner, since),
        )

    def resources(self, plan_id: str) -> list[Resource]:
        """Return what a plan held, in the order in which it was said."""
        with self._lock:
            return self._resources(plan_id)

    def _resources(self, plan_id: str) -> list[Resource]:
        rows = self._database.rows(
            "SELECT * FROM cancelled_resources WHERE plan_id = ? ORDER BY rowid", (plan_id,)
        )
        return [
            Resource(
                HeldResource(
                    kind=row["kind"],
                    id=row["id"],
                    plan_id=plan_id,
                    since=row["since_at"],
                    owner=row["owner"],
                ),
                row["state"],
                Freed(row["bytes"], row["files"], row["seconds"]),
                row["error"],
            )
            for row in rows
        ]

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

    def close(self) -> None:
        """See `Outbox.close`; answers that come later are not recorded any more."""
        with self._lock:
            self._closed = True
            self._outbox.close()

    @property
    def closed(self) -> bool:
        """Whether it is."""
        return self._closed

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


def unsaid(owner: str, plan_id: str) -> HeldResource:
    """Return what stands for what a holder has not said that it holds."""
    return HeldResource(kind=owner, id=plan_id, plan_id=plan_id, owner=owner)


def _lives(worker: dict[str, Any]) -> bool:
    """Tell whether another process is there, whatever has become of its journal."""
    pid, started = worker["host_pid"], worker["host_started"]
    return started is not None and pid != os.getpid() and start_time(pid) == started
