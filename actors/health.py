"""How an audit system is: what an operator asks first."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from minutebook.actors.ledger.flag import Flag
from minutebook.actors.reply import Reply
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import LedgerError

logger = logging.getLogger("minutebook.audit")

HealthStatus = Literal["ok", "degraded", "closed"]
"""degraded: events are accepted and kept, and the ledger does not take them at the moment."""

STUCK_S: Final = 2.0
"""A batch that has been with the ledger for longer makes the system degraded."""


class Health(BaseModel):
    """A snapshot, taken without waiting for anything."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    status: HealthStatus
    """Whether events reach the ledger."""
    reason: str | None
    """Why not, and what to do."""
    ledger: str
    """Path of the ledger."""
    producer: str
    """This system's id in the ledger."""
    backlog: int
    """Events told and not yet committed."""
    committed: int
    """Events of this system that are in the ledger."""
    rejected: int
    """Events told that the ledger refused; each left an ``audit.gap`` in its place."""
    refused: int
    """Events that were not taken, because too much waited: each raised `AuditBacklogFull`."""
    last_log_index: int | None
    """Position of the newest entry of this system."""
    last_commit_at: datetime | None
    """When that was committed; UTC."""
    degraded_since: datetime | None
    """Since when the ledger has not taken a batch; UTC."""
    retries: int
    """How often the present batch has been tried again."""
    wal_bytes: int
    """Size of SQLite's write-ahead log, as seen within the last second. Far over 16 MiB,
    somebody keeps a transaction open on the ledger."""
    writer_pid: int | None = None
    """Process that commits, when that is not this one; none while it is started again."""
    config_problem: str | None = None
    """Why a file of `system.config` is not used as it stands, and what is; ``None`` when all
    are. It says nothing of the ledger, and does not make the status degraded."""


class Vitals:
    """What the AuditActor notes about itself, for others to read from their own threads.

    One thread writes; each attribute is replaced as a whole, so readers need no lock.

    Args:
        ledger: path of the ledger.
        producer: the system's id.
    """

    def __init__(self, ledger: str, producer: str) -> None:
        self.ledger = ledger
        self.producer = producer
        self.give_up = Flag()
        """Set by who closes the system and cannot wait any longer for the ledger."""
        self.stopped = False
        """Set when the actor has handled all that it will."""
        self.in_hand = 0
        """Events of the batch that is being committed."""
        self.journaled_in_hand = 0
        """How many of those are in the journal's backlog, too."""
        self.waiting: tuple[Reply[Any], ...] = ()
        """Who waits for that batch."""
        self.uncommitted = 0
        """Events that were lost: dropped after giving up, or refused along with their gap."""
        self.committed = 0
        self.rejected = 0
        self.retries = 0
        self.last_receipt: Receipt | None = None
        self.wal_bytes = 0
        self.writer_pid: int | None = None
        self.config_problem: str | None = None
        self._astray: str | None = None
        self._trouble: LedgerError | None = None
        self._degraded_since: datetime | None = None
        self._busy_since: float | None = None

    def note_batch(self, events: int, *, journaled: int) -> None:
        """A batch goes to the ledger."""
        self.in_hand = events
        self.journaled_in_hand = journaled
        self._busy_since = time.monotonic()

    def note_outcomes(self, receipts: list[Receipt], *, rejected: int, lost: int) -> None:
        """The batch is in the ledger, as far as it will ever be."""
        if receipts:
            self.last_receipt = receipts[-1]
        self.committed += len(receipts)
        self.rejected += rejected
        self.uncommitted += lost
        self.in_hand = 0
        self.journaled_in_hand = 0
        self._busy_since = None

    def note_busy(self, busy_s: float | None) -> None:
        """A writer in another process has been at a batch for so many seconds, or at none."""
        self._busy_since = None if busy_s is None else time.monotonic() - busy_s

    def note_config(self, problem: str | None) -> None:
        """The files of settings were looked at: ``None``, or what is wrong with them."""
        self.config_problem = problem

    @property
    def degraded(self) -> bool:
        """Whether the ledger does not take batches at the moment."""
        return self._trouble is not None or self._astray is not None

    def note_trouble(self, error: LedgerError) -> None:
        """The ledger did not take the batch, which is kept."""
        self.retries += 1
        if self._trouble is None:
            self._degraded_since = datetime.now(UTC)
            logger.error("audit trail degraded, events are kept and retried: %s", error)
        self._trouble = error

    def note_files(self, astray: str | None) -> None:
        """The files were looked at: ``None``, or what is wrong with them."""
        if astray is not None and not self.degraded:
            self._degraded_since = datetime.now(UTC)
            logger.error("audit trail degraded: %s", astray)
        elif astray is None and self._astray is not None:
            logger.warning("ledger %s: its files are in place again", self.ledger)
            self._degraded_since = self._degraded_since if self._trouble else None
        self._astray = astray

    def note_recovery(self) -> None:
        """The ledger takes batches (again)."""
        if self._trouble is None:
            return
        logger.warning("ledger %s: reached again after %d tries", self.ledger, self.retries)
        self._trouble = None
        self._degraded_since = self._degraded_since if self._astray else None
        self.retries = 0

    def snapshot(self, *, waiting: int, refused: int) -> Health:
        """Return how the trail is.

        Args:
            waiting: events in the inbox and in the journal.
            refused: events that were not taken.
        """
        status, reason = self._status()
        receipt = self.last_receipt
        return Health(
            status=status,
            reason=reason,
            ledger=self.ledger,
            producer=self.producer,
            backlog=waiting + self.in_hand - self.journaled_in_hand,
            committed=self.committed,
            rejected=self.rejected,
            refused=refused,
            last_log_index=None if receipt is None else receipt.log_index,
            last_commit_at=None if receipt is None else receipt.recorded_time,
            degraded_since=self._degraded_since,
            retries=self.retries,
            wal_bytes=self.wal_bytes,
            writer_pid=self.writer_pid,
            config_problem=self.config_problem,
        )

    def _status(self) -> tuple[HealthStatus, str | None]:
        trouble, busy_since = self._trouble, self._busy_since
        if trouble is not None:
            return "degraded", str(trouble)
        if self._astray is not None and not self.stopped:
            return "degraded", self._astray
        waited_s = 0.0 if busy_since is None else time.monotonic() - busy_since
        if waited_s > STUCK_S:
            return "degraded", (
                f"ledger {self.ledger}: a batch has waited {waited_s:.0f} s for the file or for"
                f" the turn of this process; look for who holds {self.ledger}.lock, or for a"
                " slow disk."
            )
        return ("closed" if self.stopped else "ok"), None
