"""The stored bytes of an event: one JSON object, hashed as it stands, for ever.

Layout, in this order: the envelope's fields, ``payload``, ``producer``,
``producer_seq``; absent values are ``null``. The bytes hold everything that the caller
said, and neither ``recorded_at`` nor ``log_index``, which the ledger sets at commit.

`encode_head` is what the caller of ``tell`` pays for, so it has two paths, which give the
same bytes. An event of a `plain` class is written by orjson in one go, envelope and
payload in one flat object as they stand in its ``__dict__``, and two seams are sewn into
the bytes: type and version behind the id, and the payload's brace behind the severity.
All others, and every value that orjson refuses, go through the rules of `jsonable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from minutebook.domain.errors import InvalidEvent
from minutebook.domain.event import ENVELOPE_FIELDS, AuditEvent
from minutebook.domain.jsonable import jsonable, masked, rfc3339
from minutebook.domain.plain import judge, plain_part, refuse_infinite
from minutebook.domain.redaction import is_secret
from minutebook.domain.surrogates import ESCAPE_IN_JSON, escape

if TYPE_CHECKING:
    from minutebook.domain.redaction import Redactor

PAYLOAD_BYTES_MAX: Final = 256 * 1024
"""Default limit of an event's stored bytes, without the producer's fields."""

# The flat object begins with the id, whose text always has 36 characters, and the source.
_AFTER_ID: Final = len('{"id":"",') + 36
_NO_SOURCE: Final = b'"source":null'
_AFTER_NO_SOURCE: Final = _AFTER_ID + len(_NO_SOURCE)

# The last of the envelope's fields. No text can hold this: JSON escapes its quotes, and what
# is in a list is not followed by a colon. Payload fields of the name come later, or not at all.
_SEVERITY: Final = b',"severity":"'


# Where to look for it at the earliest: all that comes before it, at its shortest.
_SEVERITY_FROM: Final = _AFTER_ID + sum(len(f'"{name}":[],') for name in ENVELOPE_FIELDS[1:-1]) - 1


_BACKSLASH: Final = ord("\\")


class _Shape(NamedTuple):
    """What the bytes of a plain class's events have in common."""

    floats: tuple[str, ...]
    field_count: int
    type_and_version: bytes
    with_default_source: bytes
    has_payload: bool


_BY_THE_RULES: Final = _Shape((), 0, b"", b"", False)
"""The shape of all classes that are not plain."""


class Encoder:
    """Turns events into stored bytes, for one audit system.

    Args:
        redactor: masks secrets.
        service: the host's name, the ``source`` of events that name none.
        bytes_max: limit of an event's stored bytes, without the producer's fields.
    """

    def __init__(
        self, redactor: Redactor, *, service: str = "app", bytes_max: int = PAYLOAD_BYTES_MAX
    ) -> None:
        self._redactor = redactor
        self._service = service
        self._bytes_max = bytes_max
        self._shapes: dict[type[AuditEvent], _Shape] = {}

    def encode_head(self, event: AuditEvent) -> bytes:
        """Return the stored bytes up to and without the producer's fields.

        Raises:
            InvalidEvent: the event is none, is too large, or holds a value without a rule.
        """
        cls = type(event)
        shape = self._shapes.get(cls)
        if shape is None:
            shape = self._shapes[cls] = _shape(cls, self._service)
        head = None if shape is _BY_THE_RULES else _sewn(event.__dict__, shape)
        if head is None:
            head = orjson.dumps(self._by_the_rules(event))[:-1]
        if len(head) >= self._bytes_max:
            msg = (
                f"{cls.__name__} ({cls.type}) takes {len(head) + 1:,} bytes, over the limit of"
                f" {self._bytes_max:,}; store the bulk elsewhere and tell its digest, or raise"
                " event_bytes_max."
            )
            raise InvalidEvent(msg)
        return head

    def _by_the_rules(self, event: AuditEvent) -> dict[str, Any]:
        cls, fields = type(event), event.__dict__
        source = fields["source"]
        record = {
            "id": fields["id"],
            "type": cls.type,
            "schema_version": cls.schema_version,
            "source": self._service if source is None else source,
            "occurred_at": rfc3339(fields["occurred_at"]),
        }
        record |= {name: fields[name] for name in ENVELOPE_FIELDS if name not in record}
        checked: dict[str, Any] = {
            name: jsonable(value, name, self._redactor) for name, value in record.items()
        }
        try:
            checked["payload"] = {
                name: masked(fields[name], name, self._redactor)
                if is_secret(name, fields[name])
                else jsonable(fields[name], name, self._redactor)
                for name in cls.payload_names
            }
        except InvalidEvent as error:
            msg = f"{cls.__name__} ({cls.type}) cannot be stored: {error}"
            raise InvalidEvent(msg) from None
        return checked


def with_producer(head: bytes, producer: str, producer_seq: int) -> bytes:
    """Return the whole stored bytes: the head, and who told it as which in its sequence.

    Args:
        head: what `Encoder.encode_head` returned.
        producer: 32 hexadecimal digits, drawn at each open of a system.
        producer_seq: from 0, without holes.
    """
    return b'%b,"producer":"%b","producer_seq":%d}' % (
        head,
        producer.encode("ascii"),
        producer_seq,
    )


def _sewn(fields: dict[str, Any], shape: _Shape) -> bytes | None:
    """Return the head of a plain event, or ``None`` when the rules must decide."""
    floats, field_count, type_and_version, with_default_source, has_payload = shape
    # A cached property that was read lies among the fields; and orjson would write a time
    # without a fraction where the rules write six zeros.
    if len(fields) != field_count or not fields["occurred_at"].microsecond:
        return None
    try:
        if floats:
            refuse_infinite(fields, floats)
        flat = orjson.dumps(fields, plain_part, orjson.OPT_UTC_Z)
    except (TypeError, OverflowError):
        # A lone surrogate, NaN, an integer beyond 64 bits.
        return None
    # Looking for the backslash alone, as a number, is ten times faster and mostly enough.
    if _BACKSLASH in flat and ESCAPE_IN_JSON in flat:
        return None
    seam = flat.index(b'"', flat.index(_SEVERITY, _SEVERITY_FROM) + len(_SEVERITY)) + 1
    payload = flat[seam + 1 :] if has_payload else b"}"
    if flat[_AFTER_ID:_AFTER_NO_SOURCE] == _NO_SOURCE:
        return b'%b%b%b,"payload":{%b' % (
            flat[:_AFTER_ID],
            with_default_source,
            flat[_AFTER_NO_SOURCE:seam],
            payload,
        )
    return b'%b%b%b,"payload":{%b' % (
        flat[:_AFTER_ID],
        type_and_version,
        flat[_AFTER_ID:seam],
        payload,
    )


def _shape(cls: type[AuditEvent], service: str) -> _Shape:
    if issubclass(cls, type):
        msg = "a class was told instead of an event; build one: tell(Name(field=...))."
        raise InvalidEvent(msg)
    if not issubclass(cls, AuditEvent):
        msg = (
            f"a {cls.__name__} is no AuditEvent; declare"
            ' class Name(AuditEvent, type="what.happened") and tell an instance of it.'
        )
        raise InvalidEvent(msg)
    if getattr(cls, "type", None) is None:
        msg = f"{cls.__name__} is abstract and has no event type; tell a subclass of it."
        raise InvalidEvent(msg)
    plain = judge(cls, cls.payload_names)
    if plain is None:
        return _BY_THE_RULES
    type_and_version = b'"type":"%b","schema_version":%d,' % (
        cls.type.encode("ascii"),
        cls.schema_version,
    )
    return _Shape(
        plain.floats,
        plain.field_count,
        type_and_version,
        b'%b"source":%b' % (type_and_version, orjson.dumps(escape(service))),
        bool(cls.payload_names),
    )
