"""What the tests of the domain share: an encoder, and an event's way into an entry."""

from __future__ import annotations

import types
from typing import Any

import pytest

from minutebook.domain import AuditEvent, Entry
from minutebook.domain import encoding as encoding_module
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import Record
from minutebook.domain.plain import judge
from minutebook.domain.redaction import KEY_BYTES, Redactor

REDACTOR = Redactor(b"k" * KEY_BYTES)
ENCODER = Encoder(REDACTOR)
PRODUCER = "0a" * 16

MASKED = r"\[secret hmac-sha256:[0-9a-f]{16}\]"
"""What stands for a secret."""


class Anything(AuditEvent, type="unit.anything"):
    value: Any = None


def body_of(event: AuditEvent, encoder: Encoder = ENCODER, producer_seq: int = 0) -> bytes:
    return with_producer(encoder.encode_head(event), PRODUCER, producer_seq)


def entry_of(event: AuditEvent, encoder: Encoder = ENCODER) -> Entry:
    return Record.of(body_of(event, encoder)).row(0, 0)


def payload_of(event: AuditEvent, encoder: Encoder = ENCODER) -> dict[str, Any]:
    return entry_of(event, encoder).payload


def takes_plain_path(event: AuditEvent) -> bool:
    """Tell whether the event's class is one that orjson writes directly."""
    return judge(type(event), event.payload_names) is not None


def head_by_the_rules(event: AuditEvent, encoder: Encoder = ENCODER) -> bytes:
    """Encode the event as if its class were not plain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding_module, "flatten", lambda *_: None)
        return encoder.encode_head(event)


def declare(
    *bases: type,
    fields: dict[str, Any] | None = None,
    body: dict[str, Any] | None = None,
    name: str = "Declared",
    **keywords: Any,
) -> Any:
    """Run a class statement whose parts are data, right or wrong.

    Args:
        bases: `AuditEvent` unless given.
        fields: names and annotations.
        body: what else the class has.
        name: of the class.
        keywords: those of the class statement.
    """
    namespace = {"__module__": __name__, "__annotations__": fields or {}, **(body or {})}
    return types.new_class(name, bases or (AuditEvent,), keywords, lambda ns: ns.update(namespace))
