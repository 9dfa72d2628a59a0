"""An entry of the ledger: its columns, its leaf hash, and how it reads back.

The names and their order are those of the table ``entries`` and of JSON Lines output, and
will not change.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from minutebook.domain.jsonable import rfc3339
from minutebook.domain.surrogates import ESCAPE_IN_JSON, unescape_all

if TYPE_CHECKING:
    from minutebook.domain.event import AuditEvent

HASH_VERSION = 1
"""How `leaf_input` is laid out; stored with each entry."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Receipt(NamedTuple):
    """Proof of commit: what the ledger gave an event."""

    log_index: int
    """Position in the ledger, from 0, without holes."""
    leaf_hash: bytes
    """32 bytes: SHA-256 as in RFC 6962, section 2.1, over the leaf input."""
    recorded_at: int
    """When the ledger committed it: microseconds since the epoch, UTC."""

    @property
    def recorded_time(self) -> datetime:
        """`recorded_at` as a datetime in UTC."""
        return from_microseconds(self.recorded_at)


class Entry(NamedTuple):
    """One row of the table ``entries``."""

    log_index: int
    """Position in the ledger, from 0, without holes."""
    id: str
    """The event's UUID."""
    type: str
    """The event's type."""
    schema_version: int
    """Version of the type's payload."""
    source: str
    """Which actor of which service told it."""
    occurred_at: int
    """When it happened: microseconds since the epoch, UTC."""
    recorded_at: int
    """When it was committed: microseconds since the epoch, UTC."""
    user_identity: str | None
    """Who acted."""
    on_behalf_of: str | None
    """For whom."""
    session_id: str | None
    """In which session."""
    correlation_id: str | None
    """What one request has in common."""
    causation_id: str | None
    """Id of the event that led to it."""
    traceparent: str | None
    """W3C Trace Context header."""
    plan_id: str | None
    """The plan that it belongs to."""
    project_names: str
    """JSON list of the projects that it touches."""
    outcome: str
    """success, failure, denied or unknown."""
    outcome_reason: str | None
    """Why, when it did not succeed."""
    severity: str
    """debug, info, warning, error or critical."""
    producer: str
    """Who told it: 32 hexadecimal digits, new at each open of a system."""
    producer_seq: int
    """Its number among all of the producer's, from 0, without holes."""
    hash_version: int
    """Layout of the leaf input."""
    leaf_hash: bytes
    """32 bytes, see `leaf_hash`."""
    body: bytes
    """The stored bytes."""

    @property
    def payload(self) -> dict[str, Any]:
        """The event's own fields, as stored, with escaped text restored.

        No event class is needed: an unknown type reads like any other.
        """
        payload: dict[str, Any] = orjson.loads(self.body)["payload"]
        if ESCAPE_IN_JSON in self.body:
            payload = unescape_all(payload)
        return payload

    def event(self) -> AuditEvent:
        """Return the event as an object of today's class, brought to its version by upcasters.

        Text is as it was told, a secret is what it was masked to. Bytes in a nested model are
        read as such where that model has ``val_json_bytes="base64"``.

        Raises:
            UnreadableEvent: its type has no class in this process, or its payload does not
                fit; `payload` reads it all the same.
        """
        from minutebook.domain.upcasting import event_from

        return event_from(self.body)

    @property
    def occurred_time(self) -> datetime:
        """`occurred_at` as a datetime in UTC."""
        return from_microseconds(self.occurred_at)

    @property
    def recorded_time(self) -> datetime:
        """`recorded_at` as a datetime in UTC."""
        return from_microseconds(self.recorded_at)

    def as_json_object(self) -> dict[str, Any]:
        """Return what JSON Lines output shows: every column but ``body``, and ``payload``.

        Times are RFC 3339 in UTC with microseconds, ``leaf_hash`` is hexadecimal. Escaped
        text stays escaped, for JSON could not carry it otherwise.
        """
        row = self._asdict()
        del row["body"]
        row["occurred_at"] = rfc3339(self.occurred_time)
        row["recorded_at"] = rfc3339(self.recorded_time)
        row["project_names"] = orjson.loads(self.project_names)
        row["leaf_hash"] = self.leaf_hash.hex()
        row["payload"] = orjson.loads(self.body)["payload"]
        return row


COLUMNS = Entry._fields
"""Names of the columns of ``entries``, in order."""


class Record(NamedTuple):
    """What the stored bytes say of themselves: the columns that the ledger does not add."""

    id: str
    type: str
    schema_version: int
    source: str
    occurred_at: int
    user_identity: str | None
    on_behalf_of: str | None
    session_id: str | None
    correlation_id: str | None
    causation_id: str | None
    traceparent: str | None
    plan_id: str | None
    project_names: str
    outcome: str
    outcome_reason: str | None
    severity: str
    producer: str
    producer_seq: int
    body: bytes

    @classmethod
    def of(cls, body: bytes) -> Record:
        """Read the columns from stored bytes.

        Raises:
            KeyError, ValueError: the bytes are no stored event.
        """
        said = orjson.loads(body)
        return cls(
            said["id"],
            said["type"],
            said["schema_version"],
            said["source"],
            to_microseconds(datetime.fromisoformat(said["occurred_at"])),
            said["user_identity"],
            said["on_behalf_of"],
            said["session_id"],
            said["correlation_id"],
            said["causation_id"],
            said["traceparent"],
            said["plan_id"],
            orjson.dumps(said["project_names"]).decode("utf-8"),
            said["outcome"],
            said["outcome_reason"],
            said["severity"],
            said["producer"],
            said["producer_seq"],
            body,
        )

    @staticmethod
    def payload_of(body: bytes) -> dict[str, Any]:
        """Return the payload in stored bytes, escaped text as it is.

        Raises:
            KeyError, ValueError: the bytes are no stored event.
        """
        payload: dict[str, Any] = orjson.loads(body)["payload"]
        return payload

    def row(self, log_index: int, recorded_at: int) -> Entry:
        """Return the whole entry that these bytes become at a place and time of commit."""
        return Entry(
            log_index,
            self.id,
            self.type,
            self.schema_version,
            self.source,
            self.occurred_at,
            recorded_at,
            self.user_identity,
            self.on_behalf_of,
            self.session_id,
            self.correlation_id,
            self.causation_id,
            self.traceparent,
            self.plan_id,
            self.project_names,
            self.outcome,
            self.outcome_reason,
            self.severity,
            self.producer,
            self.producer_seq,
            HASH_VERSION,
            leaf_hash(leaf_input(recorded_at, self.body)),
            self.body,
        )


def same_event(stored: bytes, told: bytes) -> bool:
    """Tell whether two stored bytes say the same: type and payload; not when, nor by whom."""
    one, other = orjson.loads(stored), orjson.loads(told)
    return bool(one["type"] == other["type"]) and _canonical(one) == _canonical(other)


def _canonical(said: dict[str, Any]) -> bytes:
    # As text, for Python takes 1, 1.0 and true for equal.
    return orjson.dumps(said["payload"], option=orjson.OPT_SORT_KEYS)


def leaf_input(recorded_at: int, body: bytes) -> bytes:
    """Return what an entry's leaf commits to.

    One byte ``HASH_VERSION``, ``recorded_at`` as 8 bytes, big endian, in microseconds, and
    the stored bytes: an entry that is edited or back-dated has another leaf.
    """
    return b"%c%b%b" % (HASH_VERSION, recorded_at.to_bytes(8, "big"), body)


def of_leaf_input(data: bytes) -> tuple[int, bytes]:
    """Return what `leaf_input` was made of: ``recorded_at``, and the stored bytes.

    Raises:
        ValueError: it is none, or of a layout that is not known here.
    """
    if len(data) < 10 or data[0] != HASH_VERSION:
        msg = "this is no leaf input of a version that is known here."
        raise ValueError(msg)
    return int.from_bytes(data[1:9], "big"), data[9:]


def leaf_hash(data: bytes) -> bytes:
    """Return ``SHA-256(0x00 || data)``, the leaf hash of RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def to_microseconds(moment: datetime) -> int:
    """Return an aware datetime as microseconds since the epoch, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return microseconds since the epoch as a datetime in UTC, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)
