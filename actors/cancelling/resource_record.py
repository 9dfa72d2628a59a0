"""What the plans held that were cancelled, in the app database, and what became of each."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Recording
from minutebook.domain.entry import to_microseconds
from minutebook.domain.resources import Freed, HeldResource

HELD: Final = "held"
RELEASED: Final = "released"
FAILED: Final = "failed"
PENDING: Final = "pending"
"""The states of a resource."""


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


class ResourceRecord:
    """The orchestrator's outbox and the rows of resources, for the threads of cancellations too.

    Args:
        outbox: the actor's.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._database = outbox.database
        self._lock = threading.RLock()
        self._closed = False

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

    def close(self) -> None:
        """See `Outbox.close`; answers that come later are not recorded any more."""
        with self._lock:
            self._closed = True
            self._outbox.close()

    @property
    def closed(self) -> bool:
        """Whether it is."""
        return self._closed

    def hold(self, plan_id: str, owner: str, held: Sequence[HeldResource]) -> list[HeldResource]:
        """Note what a holder holds, before it is asked to release it; return all that it is to."""
        with self._lock, self._database.transaction():
            if not self._database.row("SELECT 1 FROM cancellations WHERE plan_id = ?", (plan_id,)):
                # Said late, when the plan is deleted already.
                return list(held)
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
            " error = ? WHERE plan_id = ? AND owner = ? AND kind = ? AND id = ?",
            (
                state,
                freed.bytes,
                freed.files,
                round(freed.seconds, 6),
                error,
                resource.plan_id,
                resource.owner,
                resource.kind,
                resource.id,
            ),
        )

    def _insert(self, resource: HeldResource) -> None:
        since = None if resource.since is None else to_microseconds(resource.since)
        self._database.execute(
            "INSERT OR IGNORE INTO cancelled_resources (plan_id, kind, id, owner, since_at, state)"
            " VALUES (?, ?, ?, ?, ?, 'held')",
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


def unsaid(owner: str, plan_id: str) -> HeldResource:
    """Return what stands for what a holder has not said that it holds."""
    return HeldResource(kind=owner, id=plan_id, plan_id=plan_id, owner=owner)
