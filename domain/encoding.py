"""The stored bytes of an event: one JSON object, hashed as it stands, for ever.

Layout, in this order: the envelope's fields, ``payload``, ``producer``,
``producer_seq``; absent values are ``null``. The bytes hold everything that the caller
said, and neither ``recorded_at`` nor ``log_index``, which the ledger sets at commit.

`encode_head` is what the caller of ``tell`` pays for, so it has two paths: a class whose
payload fields can only hold what orjson writes as we would goes straight to orjson; all
others, and every value that orjson refuses, go through the rules of `jsonable`. Both give
the same bytes.
"""

from __future__ import annotations

import types
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import orjson
from pydantic import BaseModel

from minutebook.domain.errors import InvalidEvent
from minutebook.domain.event import AuditEvent
from minutebook.domain.jsonable import jsonable, masked, model_members, rfc3339
from minutebook.domain.redaction import is_secret, is_secret_name
from minutebook.domain.surrogates import ESCAPE_IN_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minutebook.domain.redaction import Redactor

PAYLOAD_BYTES_MAX: Final = 256 * 1024
"""Default limit of an event's stored bytes, without the producer's fields."""

# Only exact types: a subclass (an IntEnum, a str with behaviour) takes the slower path.
_PLAIN_TYPES: Final = frozenset({str, int, bool, type(None), UUID})

# What each judged class is: not plain, or plain with these fields that may hold floats.
# Parts (nested models) stand apart from events, for only an event can be told.
_NOT_PLAIN: Final = None
_UNJUDGED: Final = ("",)
_events: dict[type[AuditEvent], tuple[str, ...] | None] = {}
_parts: dict[type[BaseModel], tuple[str, ...] | None] = {}


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

    def encode_head(self, event: AuditEvent) -> bytes:
        """Return the stored bytes up to and without the producer's fields.

        Raises:
            InvalidEvent: the event is none, is too large, or holds a value without a rule.
        """
        cls = type(event)
        floats = _events.get(cls, _UNJUDGED)
        if floats is _UNJUDGED:
            floats = _judge(cls)
        fields = event.__dict__
        source = fields["source"]
        occurred_at = fields["occurred_at"]
        record = {
            "id": fields["id"],
            "type": cls.type,
            "schema_version": cls.schema_version,
            "source": self._service if source is None else source,
            # orjson would leave out a fraction of zero.
            "occurred_at": occurred_at if occurred_at.microsecond else rfc3339(occurred_at),
            "user_identity": fields["user_identity"],
            "on_behalf_of": fields["on_behalf_of"],
            "session_id": fields["session_id"],
            "correlation_id": fields["correlation_id"],
            "causation_id": fields["causation_id"],
            "traceparent": fields["traceparent"],
            "plan_id": fields["plan_id"],
            "project_names": fields["project_names"],
            "outcome": fields["outcome"],
            "outcome_reason": fields["outcome_reason"],
            "severity": fields["severity"],
        }
        head = None
        if floats is not _NOT_PLAIN:
            record["payload"] = {name: fields[name] for name in cls.payload_names}
            try:
                if floats:
                    _refuse_infinite(fields, floats)
                head = orjson.dumps(record, _plain_part, orjson.OPT_UTC_Z)
            except (TypeError, OverflowError):
                # A lone surrogate, NaN, an integer beyond 64 bits: the rules decide, or explain.
                pass
            else:
                if ESCAPE_IN_JSON in head:
                    head = None
        if head is None:
            head = orjson.dumps(self._by_the_rules(cls, fields, record))
        if len(head) > self._bytes_max:
            msg = (
                f"{cls.__name__} ({cls.type}) takes {len(head):,} bytes, over the limit of"
                f" {self._bytes_max:,}; store the bulk elsewhere and tell its digest, or raise"
                " event_bytes_max."
            )
            raise InvalidEvent(msg)
        return head[:-1]

    def _by_the_rules(
        self, cls: type[AuditEvent], fields: dict[str, Any], record: dict[str, Any]
    ) -> dict[str, Any]:
        record.pop("payload", None)
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


def _plain_part(value: object) -> Any:
    # A subclass of the declared model may hold anything: only a judged class is plain.
    floats = _parts.get(type(value)) if isinstance(value, BaseModel) else _NOT_PLAIN
    if floats is _NOT_PLAIN or not isinstance(value, BaseModel):
        raise TypeError(type(value).__name__)
    members = model_members(value)
    _refuse_infinite(members, floats)
    return members


def _refuse_infinite(fields: Mapping[str, Any], floats: Iterable[str]) -> None:
    # orjson would silently write null. That the event refuses NaN when it is built does not
    # settle it: a default is not validated, nor is what a list or a nested model becomes.
    for name in floats:
        value = fields[name]
        if value is not None and not isfinite(value):
            raise TypeError(name)


def _judge(cls: type[AuditEvent]) -> tuple[str, ...] | None:
    if not isinstance(cls, type) or not issubclass(cls, AuditEvent):
        msg = (
            f"{getattr(cls, '__name__', cls)} is no AuditEvent; declare"
            ' class Name(AuditEvent, type="what.happened") and tell an instance of it.'
        )
        raise InvalidEvent(msg)
    if getattr(cls, "type", None) is None:
        msg = f"{cls.__name__} is abstract and has no event type; tell a subclass of it."
        raise InvalidEvent(msg)
    _events[cls] = floats = _floats_if_plain(cls, cls.payload_names)
    return floats


def _floats_if_plain(cls: type[BaseModel], names: Iterable[str]) -> tuple[str, ...] | None:
    floats = []
    for name in names:
        annotation = cls.model_fields[name].annotation
        if is_secret_name(name) or not _is_plain(annotation, float_too=True):
            return _NOT_PLAIN
        if not _is_plain(annotation, float_too=False):
            floats.append(name)
    return tuple(floats)


def _is_plain(annotation: Any, *, float_too: bool) -> bool:
    """Tell whether values of a validated annotation are written by orjson as by the rules.

    Mappings are not: their keys may name secrets. Nor are floats in lists, for NaN could
    hide there from `_refuse_infinite`.
    """
    if annotation is float:
        return float_too
    if annotation in _PLAIN_TYPES:
        return True
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Literal:
        return all(type(argument) in _PLAIN_TYPES for argument in arguments)
    if origin in {Union, types.UnionType}:
        return all(_is_plain(argument, float_too=float_too) for argument in arguments)
    if origin in {list, tuple}:
        return all(
            argument is Ellipsis or _is_plain(argument, float_too=False) for argument in arguments
        )
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in _parts:
            # Until it is judged, a model that holds itself counts as not plain.
            _parts[annotation] = _NOT_PLAIN
            if annotation.model_config.get("extra") != "allow":
                _parts[annotation] = _floats_if_plain(annotation, annotation.model_fields)
        return _parts[annotation] is not _NOT_PLAIN
    return False
