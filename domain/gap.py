"""What stands in the ledger in the place of an event that cannot be stored.

The substitute takes over the number that the event had in its producer's sequence, so
that the sequence has no hole and the order stays as told. It depends on nothing but the
event that it stands for, id and time included: a batch that is retried because nobody
knows whether its commit reached the disk makes the very same substitute again.
"""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID, uuid5

from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import Record, from_microseconds
from minutebook.domain.event import AuditEvent
from minutebook.domain.surrogates import unescape_all
from minutebook.domain.trail_events import AuditGap

DETAIL_CHARACTERS_MAX: Final = 2000
"""Most of an exception's text that goes into an ``audit.gap``, which must always fit."""

_NAMESPACE: Final = UUID("6c1f4d3e-5b0a-5c59-9d1c-2f6d3b8a7e10")


def substitute_id(producer: str, producer_seq: int) -> str:
    """Return the id of what takes the place of a producer's event."""
    return str(uuid5(_NAMESPACE, f"{producer}/{producer_seq}"))


def substitute(
    record: Record,
    encoder: Encoder,
    *,
    cause: Literal["repeated", "duplicate_id", "unstorable"],
    detail: str,
) -> Record:
    """Return the record of an ``audit.gap`` that takes the place of another record.

    It says who acted and in which request just as the other did.

    Args:
        record: what could not be stored.
        encoder: the system's.
        cause: see `AuditGap`.
        detail: what happened, in words.
    """
    gap = AuditGap(
        id=substitute_id(record.producer, record.producer_seq),
        occurred_at=from_microseconds(record.occurred_at),
        source=unescape_all(record.source),
        user_identity=unescape_all(record.user_identity),
        session_id=unescape_all(record.session_id),
        correlation_id=unescape_all(record.correlation_id),
        plan_id=unescape_all(record.plan_id),
        causation_id=None,
        on_behalf_of=unescape_all(record.on_behalf_of),
        traceparent=None,
        outcome="success" if cause == "repeated" else "failure",
        severity="info" if cause == "repeated" else "warning",
        cause=cause,
        count=1,
        first_seq=record.producer_seq,
        last_seq=record.producer_seq,
        event_id=record.id,
        event_type=record.type,
        detail=detail,
    )
    head = encoder.encode_head(gap)
    return Record.of(with_producer(head, record.producer, record.producer_seq))


def refused(event: AuditEvent, *, source: str, seq: int, detail: str) -> AuditGap:
    """Return the ``audit.gap`` that takes the place of a buffered event that cannot be stored.

    Args:
        event: what could not be stored.
        source: the envelope's ``source``.
        seq: the number that the event would have had.
        detail: what happened, in words.
    """
    return AuditGap(
        source=source,
        cause="unstorable",
        count=1,
        first_seq=seq,
        last_seq=seq,
        event_id=event.id,
        event_type=type(event).type,
        detail=detail,
    )


def described(error: BaseException) -> str:
    """Return an exception's type and text, for the detail of a gap."""
    try:
        return f"{type(error).__name__}: {error}"[:DETAIL_CHARACTERS_MAX]
    except Exception:  # noqa: BLE001 - its text is broken, the event still needs its gap
        return type(error).__name__


def missing(
    producer: str, first_seq: int, count: int, journaled_at_ns: int, encoder: Encoder
) -> bytes:
    """Return the stored bytes that take the place of journaled events which cannot be read.

    Args:
        producer: who had told them.
        first_seq, count: which.
        journaled_at_ns: when the journal was last written, nanoseconds since the epoch; the
            same for each attempt to recover it.
        encoder: the system's.
    """
    gap = AuditGap(
        id=substitute_id(producer, first_seq),
        occurred_at=from_microseconds(journaled_at_ns // 1000),
        cause="unreadable",
        count=count,
        first_seq=first_seq,
        last_seq=first_seq + count - 1,
        event_id=None,
        event_type=None,
        detail="the journal is damaged there; what can be read of it was kept aside",
    )
    return with_producer(encoder.encode_head(gap), producer, first_seq)
