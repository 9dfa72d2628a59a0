"""The stored bytes of an event: one JSON object, hashed as it stands, for ever.

Layout, in this order: the envelope's fields, ``payload``, ``producer``,
``producer_seq``; absent values are ``null``. The bytes hold everything that the caller
said, and neither ``recorded_at`` nor ``log_index``, which the ledger sets at commit.

`encode_head` is what the caller of ``tell`` pays for, so it has two paths: a class whose
payload fields can only hold what orjson writes as we would goes straight to orjson; all
others, and every value that orjson refuses, go through the rules of `jsonable`.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import orjson
from pydantic import BaseModel

from minutebook.domain.errors import InvalidEvent
from minutebook.domain.event import AuditEvent
from minutebook.domain.jsonable import jsonable, rfc3339
from minutebook.domain.redaction import is_secret, is_secret_name
from minutebook.domain.surrogates import ESCAPE_IN_JSON

if TYPE_CHECKING:
    from minutebook.domain.redaction import Redactor

PAYLOAD_BYTES_MAX: Final = 256 * 1024
"""Default limit of an event's stored bytes."""

# Only exact types: a subclass (an IntEnum, a str with behaviour) takes the slower path.
_PLAIN_TYPES: Final = frozenset({str, int, bool, type(None), UUID})
_plain_classes: dict[type[BaseModel], bool] = {}


class Encoder:
    """Turns events into stored bytes, for one audit system.

    Args:
        redactor: masks secrets.
        service: the host's name, the ``source`` of events that name none.
        bytes_max: limit of an event's stored bytes.
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
        plain = _plain_classes.get(cls)
        if plain is None:
            plain = _judge(cls)
        fields = event.__dict__
        source = fields["source"]
        record = {
            "id": fields["id"],
            "type": cls.type,
            "schema_version": cls.schema_version,
            "source": self._service if source is None else source,
            "occurred_at": fields["occurred_at"],
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
        if plain:
            record["payload"] = {name: fields[name] for name in cls.payload_names}
            try:
                head = orjson.dumps(record, _plain_model, orjson.OPT_UTC_Z)
            except TypeError:
                # A lone surrogate or an integer beyond 64 bits: the rules decide, or explain.
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
        record["occurred_at"] = rfc3339(record["occurred_at"])
        record.pop("payload", None)
        checked: dict[str, Any] = {
            name: jsonable(value, name, self._redactor) for name, value in record.items()
        }
        try:
            checked["payload"] = {
                name: self._redactor.mask(fields[name])
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


def _plain_model(value: object) -> Any:
    # A subclass of the declared model may hold anything: only a judged class is plain.
    if isinstance(value, BaseModel) and _plain_classes.get(type(value)):
        return value.__dict__
    raise TypeError(type(value).__name__)


def _judge(cls: type[AuditEvent]) -> bool:
    if not isinstance(cls, type) or not issubclass(cls, AuditEvent):
        msg = (
            f"{getattr(cls, '__name__', cls)} is no AuditEvent; declare"
            ' class Name(AuditEvent, type="what.happened") and tell an instance of it.'
        )
        raise InvalidEvent(msg)
    if getattr(cls, "type", None) is None:
        msg = f"{cls.__name__} is abstract and has no event type; tell a subclass of it."
        raise InvalidEvent(msg)
    plain = all(
        not is_secret_name(name) and _is_plain(cls.model_fields[name].annotation, nan_refused=True)
        for name in cls.payload_names
    )
    _plain_classes[cls] = plain
    return plain


def _is_plain(annotation: Any, *, nan_refused: bool) -> bool:
    """Tell whether values of a validated annotation are written by orjson as by the rules.

    Mappings are not: their keys may name secrets. Nor is a float of a nested model that
    admits NaN, as the event's own fields do not: orjson would silently write null.
    """
    if annotation is float:
        return nan_refused
    if annotation in _PLAIN_TYPES:
        return True
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Literal:
        return all(type(argument) in _PLAIN_TYPES for argument in arguments)
    if origin in {Union, types.UnionType, list, tuple}:
        return all(
            argument is Ellipsis or _is_plain(argument, nan_refused=nan_refused)
            for argument in arguments
        )
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        known = _plain_classes.get(annotation)
        if known is None:
            # Until it is judged, a model that holds itself counts as not plain.
            _plain_classes[annotation] = False
            config = annotation.model_config
            known = config.get("extra") != "allow" and all(
                not is_secret_name(name)
                and _is_plain(field.annotation, nan_refused=config.get("allow_inf_nan") is False)
                for name, field in annotation.model_fields.items()
            )
            _plain_classes[annotation] = known
        return known
    return False
