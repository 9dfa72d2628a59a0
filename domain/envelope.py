"""What the fields of an event's envelope may hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from uuid_utils import uuid7

from minutebook.domain import context

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar

Outcome = Literal["success", "failure", "denied", "unknown"]
"""How what is recorded ended."""

Severity = Literal["debug", "info", "warning", "error", "critical"]
"""How much it asks for an operator's attention."""

_UUID_TEXT = re.compile(r"[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}", re.ASCII)


def new_id() -> str:
    """Return a new UUIDv7 as text: ids that sort by time keep the ledger's index cheap."""
    return str(uuid7())


def _as_uuid_text(value: object) -> object:
    # uuid_utils.UUID is no subclass of uuid.UUID; both print themselves canonically.
    return str(value) if type(value).__name__ == "UUID" else value


def _canonical_uuid(value: str) -> str:
    # Not left to UUID(), which takes "_", blanks and "+" for digits and repeats what it got.
    if not _UUID_TEXT.fullmatch(value):
        msg = "a UUID is 32 hex digits, with or without hyphens"
        raise ValueError(msg)
    return str(UUID(value))


def _checked_traceparent(value: str) -> str:
    if not context.is_traceparent(value):
        msg = "a traceparent is 00-<32 hex digits>-<16 hex digits>-<2 hex digits>"
        raise ValueError(msg)
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        msg = "lies outside the years 1 to 9999 in UTC"
        raise ValueError(msg) from None


def _not_empty(value: str) -> str:
    if not value:
        msg = "is empty; leave it out instead"
        raise ValueError(msg)
    return value


EventId = Annotated[str, BeforeValidator(_as_uuid_text), AfterValidator(_canonical_uuid)]
"""A UUID of any version and library, kept as canonical text."""

Text = Annotated[str, AfterValidator(_not_empty)]
"""Text that is not empty; not by pydantic's min_length, which refuses lone surrogates."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An aware datetime, turned to UTC."""

Traceparent = Annotated[str, AfterValidator(_checked_traceparent)]
"""A W3C Trace Context header, version 00."""


def bound(variable: ContextVar[str | None]) -> Callable[[], str | None]:
    """Return what fills a field from the binding."""
    # The C method itself: a function around it would triple the cost of the field.
    return variable.get
