"""What a block that changes state says besides: events, and intents to change something outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.ledger.clock import now_microseconds
from minutebook.actors.teller import Teller
from minutebook.domain.context import Binding
from minutebook.domain.encoding import Encoder
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import ServiceFailure
from minutebook.domain.event import AuditEvent


@dataclass(frozen=True, slots=True)
class Trail:
    """What an outbox needs to know of the system that it belongs to."""

    producer: str
    """Whose rows are its own."""
    encoder: Encoder
    """Makes the stored bytes."""
    teller: Teller
    """Takes them."""
    is_gone: Callable[[str], bool]
    """Whether a producer has ended, and all that it had journaled is in the ledger."""
    recorded: Callable[[Sequence[str]], set[str]]
    """Which of some event ids are in the ledger; raises `LedgerError`."""


class Intent(NamedTuple):
    """A change outside the database that was begun."""

    intent_id: str
    """Its own; not the event's."""
    kind: str
    """What is done; a word of its actor's."""
    binding: Binding
    """Who asked for it."""
    detail: dict[str, Any]
    """What its actor needs to decide whether it was done."""
    head: bytes | None
    """Stored bytes of the event that tells it, where they can be known before."""
    waits: bool = False
    """Whether the caller is to wait for the event's commit."""


class Written(NamedTuple):
    """An event in the outbox."""

    event_id: str
    head: bytes
    waits: bool


class Recording:
    """What a block of `Outbox.recorded` does besides changing the state.

    Everything is part of the block's transaction: when that is rolled back, nothing was told,
    and no intent was made or ended.
    """

    def __init__(self, database: AppDatabase, actor: str, trail: Trail) -> None:
        self._database = database
        self._actor = actor
        self._trail = trail
        self.written: list[Written] = []
        """What is to be told after the commit."""

    def tell(self, event: AuditEvent) -> None:
        """Have an event told after the commit.

        Raises:
            InvalidEvent: it cannot be stored; let it end the block, so that nothing is done.
        """
        head = self._trail.encoder.encode_head(event)
        self._write(event.id, head, self._trail.teller.waits(type(event)))

    def intend(self, kind: str, event: AuditEvent | None = None, **detail: Any) -> Intent:
        """Note that a change outside the database is about to be made.

        Args:
            kind: a word for it.
            event: what tells it, where that can be known before.
            detail: what can be written as JSON.

        Raises:
            InvalidEvent: the event cannot be stored; let it end the block.
        """
        head = None if event is None else self._trail.encoder.encode_head(event)
        waits = event is not None and self._trail.teller.waits(type(event))
        intent = Intent(new_id(), kind, Binding.current(), detail, head, waits)
        self._database.execute(
            "INSERT INTO intents (intent_id, producer, actor, kind, binding, detail, head,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                intent.intent_id,
                self._trail.producer,
                self._actor,
                kind,
                json.dumps(intent.binding._asdict()),
                json.dumps(detail),
                head,
                now_microseconds(),
            ),
        )
        return intent

    def fulfil(self, intent: Intent) -> None:
        """The change was made: have the intent's event told."""
        assert intent.head is not None, intent
        self.drop(intent)
        event_id = json.loads(intent.head + b"}")["id"]
        self._write(event_id, intent.head, intent.waits)

    def drop(self, intent: Intent) -> None:
        """The change was not made, or is told otherwise: forget the intent.

        Raises:
            ServiceFailure: another process has taken it over.
        """
        ended = self._database.rows(
            "DELETE FROM intents WHERE intent_id = ? AND producer = ? RETURNING intent_id",
            (intent.intent_id, self._trail.producer),
        )
        if not ended:
            msg = (
                f"another process took this one for dead and has ended its {intent.kind}; look"
                " at the trail for what became of it, and leave <ledger>.journal.d alone."
            )
            raise ServiceFailure(msg)

    def _write(self, event_id: str, head: bytes, waits: bool) -> None:
        self._database.execute(
            "INSERT INTO outbox (event_id, producer, actor, head, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (event_id, self._trail.producer, self._actor, head, now_microseconds()),
        )
        self.written.append(Written(event_id, head, waits))
