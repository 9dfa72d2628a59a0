"""What the trail tells of its own life; part of the catalogue in `minutebook.domain.events`.

Apart from the rest, which only the service actors need: a host that imports `AuditSystem`
does not wait for two dozen classes.
"""

from __future__ import annotations

from typing import Literal

from minutebook.domain.envelope import Moment
from minutebook.domain.event import AuditEvent


class AuditSystemOpened(AuditEvent, type="audit.opened"):
    """AuditActor: a system began to write to this ledger, as the entry's ``producer``."""

    host: str
    """Name of the machine."""
    pid: int
    """Process id; may be the same in two containers, unlike ``producer``."""
    process_started_at: Moment
    """When the process began to use Minutebook."""
    python_version: str
    """Of the process."""
    minutebook_version: str
    """Of this library."""
    sqlite_version: str
    """Of the SQLite that writes the ledger."""


class AuditSystemClosed(AuditEvent, type="audit.closed"):
    """AuditActor: the system was closed in order; nothing of this producer follows."""

    events_told: int
    """How many events this producer numbered, this one included."""
    duration_s: float
    """Seconds since ``audit.opened``."""


class AuditGap(AuditEvent, type="audit.gap", outcome="failure", severity="warning"):
    """AuditActor: stands in the place of events that were told and are not in the ledger."""

    cause: Literal["repeated", "duplicate_id", "unstorable", "unreadable"]
    """Why: the same event told again, its id used for another one, an event that cannot be
    stored, or a journal that is damaged."""
    count: int
    """How many events it stands for."""
    first_seq: int
    """The producer's number of the first of them."""
    last_seq: int
    """The producer's number of the last of them."""
    event_id: str | None
    """Id of the event, when it could be read."""
    event_type: str | None
    """Type of the event, when it could be read."""
    detail: str
    """What happened, in words."""


class AuditRecovered(AuditEvent, type="audit.recovered", severity="warning"):
    """AuditSystem: a process died, and what it had told was committed from its journal."""

    from_producer: str
    """Who had told it; its own ``audit.opened`` says which process that was."""
    found: int
    """Events in the journal."""
    committed: int
    """How many of them were not in the ledger yet."""
    unreadable: int
    """Events that were damaged; each stretch has an ``audit.gap``."""
    torn: bool
    """Whether the last record was cut off, so that its tell had not returned."""
    kept_aside: tuple[str, ...]
    """Names of damaged files, kept in the journal's directory."""


class AuditCheckpointed(AuditEvent, type="audit.checkpointed"):
    """AuditSystem: its writer signed the head of the log.

    What is signed while the system ends, and behind ``audit.closed``, is not told.
    """

    tree_size: int
    """How many entries the log had."""
    root_hash: str
    """Root of their Merkle tree, in base64 as in the checkpoint."""
    key: str
    """Which key signed it: a vkey."""
    note_number: int
    """Number of the checkpoint among all that the log has signed."""
