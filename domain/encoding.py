"""The stored bytes of an event: one JSON object, hashed as it stands, for ever.

Layout, in this order: the envelope's fields, ``payload``, ``producer``,
``producer_seq``; absent values are ``null``. The bytes hold everything that the caller
said, and neither ``recorded_at`` nor ``log_index``, which the ledger sets at commit.

There are two ways to them, which give the same bytes. An event of a `plain` class is written
by orjson in one go, envelope and payload in one flat object as they stand in its
``__dict__``. That is the whole of what the caller of ``tell`` pays for: such a *draft* says in
front of the object what its class has in common, and `finish` sews it in where the draft is
committed: type and version behind the id, and the payload's brace behind the severity. All
other events, and every value that orjson refuses, go through the rules of `jsonable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from minutebook.domain.errors import InvalidEvent
from minutebook.domain.event import ENVELOPE_FIELDS, AuditEvent
from minutebook.domain.jsonable import jsonable, masked, rfc3339
from minutebook.domain.personal import SEALED, Sealer, personal_fields, place_of
from minutebook.domain.plain import all_parts, judge, plain_part, refuse_infinite, settled_floats
from minutebook.domain.redaction import is_secret
from minutebook.domain.surrogates import ESCAPE_IN_JSON, escape

if TYPE_CHECKING:
    from pydantic import BaseModel

    from minutebook.domain.redaction import Redactor

PAYLOAD_BYTES_MAX: Final = 256 * 1024
"""Default limit of an event's stored bytes, without the producer's fields."""

# The flat object begins with the id, whose text always has 36 characters, and the source.
_FLAT_BEGIN: Final = b'{"id":"'
_AFTER_ID: Final = len('{"id":"",') + 36
_SOURCE: Final = b'"source":'
_NO_SOURCE: Final = b'"source":null'
_AFTER_NO_SOURCE: Final = _AFTER_ID + len(_NO_SOURCE)
_OCCURRED_AT: Final = b',"occurred_at":"'
_SECONDS: Final = len("2026-01-31T12:00:00")

# The last of the envelope's fields. No text can hold this: JSON escapes its quotes, and what
# is in a list is not followed by a colon. Payload fields of the name come later, or not at all.
_SEVERITY: Final = b',"severity":"'


# Where to look for it at the earliest: all that comes before it, at its shortest.
_SEVERITY_FROM: Final = _AFTER_ID + sum(len(f'"{name}":[],') for name in ENVELOPE_FIELDS[1:-1]) - 1


BACKSLASH: Final = ord("\\")
"""What a draft may not hold unless its escapes are looked at: see `flatten`."""

_QUOTE: Final = ord('"')
_COMMA: Final = ord(",")
_UTC: Final = ord("Z")

# What `finish` may add to a draft: the payload's name and brace, and a fraction of a second.
_FINISHING: Final = len(',"payload":{') + len(".000000")


class Shape(NamedTuple):
    """What the drafts of a class's events have in common."""

    floats: tuple[str, ...]
    """Fields that may hold NaN or an infinite float."""
    field_count: int
    """How many entries the ``__dict__`` of a plain event has; -1 for a class that is not plain."""
    preface: bytes
    """What a draft says in front of the flat object: type, version, and the default source."""
    flat_bytes_max: int
    """A longer flat object may be too large, as finished."""
    parts: tuple[type[BaseModel], ...] = ()
    """The models that a plain event may hold, at whatever depth."""


class Encoder:
    """Turns events into stored bytes, for one audit system.

    Args:
        redactor: masks secrets.
        service: the host's name, the ``source`` of events that name none.
        bytes_max: limit of an event's stored bytes, without the producer's fields.
        sealer: encrypts personal fields; without one, events that have any are refused.
    """

    def __init__(
        self,
        redactor: Redactor,
        *,
        service: str = "app",
        bytes_max: int = PAYLOAD_BYTES_MAX,
        sealer: Sealer | None = None,
    ) -> None:
        self._redactor = redactor
        self._sealer = sealer
        self._service = service
        self._bytes_max = bytes_max
        self._shapes: dict[type[AuditEvent], Shape] = {}

    def shape_of(self, cls: type[AuditEvent]) -> Shape:
        """Return what the drafts of a class have in common.

        Raises:
            InvalidEvent: it is no class of events.
        """
        shape = self._shapes.get(cls)
        if shape is None:
            shape = self._shapes[cls] = _shape(cls, self._service, self._bytes_max)
        return shape

    def encode_head(self, event: AuditEvent) -> bytes:
        """Return the stored bytes up to and without the producer's fields.

        Raises:
            InvalidEvent: the event is none, is too large, or holds a value without a rule.
        """
        cls = type(event)
        shape = self.shape_of(cls)
        flat = flatten(event.__dict__, shape)  # pyright: ignore[reportArgumentType]
        if flat is None:
            head = orjson.dumps(self._by_the_rules(event))[:-1]
        else:
            head = finish(shape.preface + flat)
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
            for name, subject in personal_fields(cls).items():
                if checked["payload"][name] is not None:
                    checked["payload"][name] = self._sealed(event, name, subject, checked)
        except InvalidEvent as error:
            msg = f"{cls.__name__} ({cls.type}) cannot be stored: {error}"
            raise InvalidEvent(msg) from None
        return checked

    def _sealed(
        self, event: AuditEvent, name: str, subject: str, checked: dict[str, Any]
    ) -> dict[str, str]:
        whom = event.__dict__[subject]
        if whom is None or whom == "" or self._sealer is None:
            msg = (
                f"{name} is personal, and {subject}, which says whom it is about, is not given;"
                " give it."
                if self._sealer is not None
                else f"{name} is personal, and there are no keys here; tell it to a system."
            )
            raise InvalidEvent(msg)
        data = orjson.dumps(checked["payload"][name])
        place = place_of(event.id, event.type, name)
        return {SEALED: self._sealer.seal(str(whom), place, data)}


def flatten(fields: dict[str, Any], shape: Shape) -> bytes | None:
    """Return a plain event's flat object, or ``None`` when the rules must decide.

    Args:
        fields: the event's ``__dict__``.
        shape: of its class.
    """
    # A cached property that was read lies among the fields.
    if len(fields) != shape.field_count:
        return None
    try:
        if shape.floats:
            refuse_infinite(fields, shape.floats)
        flat = orjson.dumps(fields, plain_part, orjson.OPT_UTC_Z)
    except (TypeError, OverflowError):
        # A lone surrogate, NaN, an integer beyond 64 bits.
        return None
    # Looking for the backslash alone, as a number, is ten times faster and mostly enough.
    if BACKSLASH in flat and ESCAPE_IN_JSON in flat:
        return None
    return flat


def finish(draft: bytes) -> bytes:
    """Return the head that a draft stands for, as `Encoder.encode_head` would have written it.

    Args:
        draft: a shape's preface with a flat object behind it; or a head, which stays as it is.

    Raises:
        ValueError: it is neither.
    """
    if not draft or draft[0] != _QUOTE:
        return draft
    begin = draft.index(_FLAT_BEGIN)
    preface, flat = draft[:begin], draft[begin:]
    fraction = flat.index(_OCCURRED_AT, _AFTER_ID - 1) + len(_OCCURRED_AT) + _SECONDS
    if flat[fraction] == _UTC:
        # orjson leaves out a fraction of zero, the rules write it.
        flat = b"%b.000000%b" % (flat[:fraction], flat[fraction:])
    seam = flat.index(b'"', flat.index(_SEVERITY, _SEVERITY_FROM) + len(_SEVERITY)) + 1
    after_id = _AFTER_ID
    if flat[_AFTER_ID:_AFTER_NO_SOURCE] == _NO_SOURCE:
        after_id = _AFTER_NO_SOURCE
    else:
        preface = preface[: preface.index(_SOURCE)]
    return b'%b%b%b,"payload":{%b' % (
        flat[:_AFTER_ID],
        preface,
        flat[after_id:seam],
        flat[seam + 1 if flat[seam] == _COMMA else seam :],
    )


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


def _shape(cls: type[AuditEvent], service: str, bytes_max: int) -> Shape:
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
    preface = b'"type":"%b","schema_version":%d,"source":%b' % (
        cls.type.encode("ascii"),
        cls.schema_version,
        orjson.dumps(escape(service)),
    )
    settled = settled_floats(cls, plain.floats)
    return Shape(
        tuple(name for name in plain.floats if name not in settled),
        plain.field_count,
        preface,
        bytes_max - len(preface) - _FINISHING - 1,
        all_parts(plain.parts),
    )


_BY_THE_RULES: Final = Shape((), -1, b"", 0)
"""The shape of all classes that are not plain."""
