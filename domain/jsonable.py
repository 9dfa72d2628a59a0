"""What becomes of values that JSON does not carry: one rule each.

| value | stored as |
|---|---|
| set, frozenset | list, sorted |
| tuple, deque | list |
| datetime (aware; a naive one is refused) | RFC 3339, UTC, microseconds, ``Z`` |
| date, time | ISO 8601 |
| timedelta | ISO 8601 duration, in days, hours, minutes and seconds |
| UUID of any library | text |
| Decimal, path, IP address | text |
| bytes | standard base64 |
| Enum | its value |
| pydantic model, dataclass | object, by field name |
| mapping | object; keys become text, and may not collide |
| secret (see `redaction`) | masked |
| lone surrogate | escaped (see `surrogates`) |
| integer beyond 64 bits, NaN, infinity, anything else | refused |
"""

from __future__ import annotations

import base64
import dataclasses
import math
import os
from collections import deque
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel

from minutebook.domain.errors import InvalidEvent
from minutebook.domain.personal import personal_fields
from minutebook.domain.redaction import is_secret, is_secret_type
from minutebook.domain.surrogates import escape

if TYPE_CHECKING:
    from minutebook.domain.redaction import Redactor

NESTING_MAX = 64
"""How deep lists and objects may nest; beyond it a value is taken for one that holds itself."""

_INTEGER_MIN = -(2**63)
_INTEGER_MAX = 2**64 - 1


def jsonable(value: Any, where: str, redactor: Redactor, *, depth: int = 0) -> Any:
    """Return the value with every part turned into what JSON carries.

    Args:
        value: any Python value.
        where: its place in the event, such as ``payload.items``; for error messages.
        redactor: masks what is secret by type or name.

    Raises:
        InvalidEvent: a part has no rule, or none that keeps its meaning.
    """
    if depth > NESTING_MAX:
        msg = f"{where:.200} nests deeper than {NESTING_MAX} levels; flatten it."
        raise InvalidEvent(msg)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, Enum):
        return jsonable(value.value, where, redactor, depth=depth + 1)
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, int):
        if _INTEGER_MIN <= value <= _INTEGER_MAX:
            return int(value)
        msg = f"{where} is an integer beyond 64 bits; store it as text."
        raise InvalidEvent(msg)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        msg = f"{where} is {value}, which JSON cannot carry; use None or text."
        raise InvalidEvent(msg)
    if isinstance(value, Mapping):
        return _jsonable_members(value.items(), where, redactor, depth)
    if isinstance(value, list | tuple | deque):
        return [
            jsonable(item, f"{where}[{index}]", redactor, depth=depth + 1)
            for index, item in enumerate(value)
        ]
    if isinstance(value, set | frozenset):
        items = [jsonable(item, f"{where}{{}}", redactor, depth=depth + 1) for item in value]
        return _in_order(items)
    if isinstance(value, BaseModel):
        if personal_fields(type(value)):
            msg = (
                f"{where} is a {type(value).__name__} with personal fields, which would be stored"
                " in clear there; mark the whole field of the event as Personal instead."
            )
            raise InvalidEvent(msg)
        return _jsonable_members(model_members(value).items(), where, redactor, depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return _jsonable_members(members, where, redactor, depth)
    if is_secret_type(value):
        return masked(value, where, redactor, depth=depth + 1)
    return _jsonable_leaf(value, where)


def masked(value: Any, where: str, redactor: Redactor, *, depth: int = 0) -> str:
    """Return what stands for a secret; equal values have equal fingerprints.

    Whatever is neither text nor a number is fingerprinted as it would be stored: its
    ``str`` may hide what differs, as that of a ``SecretStr`` inside does, or depend on the
    order of a set.

    Raises:
        InvalidEvent: a part of it has no rule.
    """
    if is_secret_type(value):
        value = value.get_secret_value()
    if not isinstance(value, str | bytes | int | float):
        value = jsonable(value, where, redactor, depth=depth)
        if not isinstance(value, str):
            value = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return redactor.mask(value)


def model_members(model: BaseModel) -> dict[str, Any]:
    """Return a model's fields and extra values; its ``__dict__`` may hold cached properties."""
    said = model.__dict__
    members = {name: said[name] for name in type(model).model_fields if name in said}
    return members | (model.__pydantic_extra__ or {})


def _jsonable_leaf(value: Any, where: str) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            msg = f"{where} is a naive datetime; give it a time zone, such as datetime.now(UTC)."
            raise InvalidEvent(msg)
        try:
            return rfc3339(value)
        except OverflowError:
            msg = f"{where} lies outside the years 1 to 9999 in UTC; correct it, or use text."
            raise InvalidEvent(msg) from None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _iso_duration(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, PurePath):
        return escape(os.fspath(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            msg = f"{where} is {value}, which is no number; use None or text."
            raise InvalidEvent(msg)
        return str(value)
    # uuid_utils.UUID shares no base with uuid.UUID; the name and the text are the same.
    if type(value).__name__ == "UUID" or isinstance(value, IPv4Address | IPv6Address):
        return str(value)
    msg = (
        f"{where} is a {type(value).__module__}.{type(value).__qualname__}, for which there"
        " is no rule; store text, numbers, lists, mappings or a pydantic model instead."
    )
    raise InvalidEvent(msg)


def _jsonable_members(members: Any, where: str, redactor: Redactor, depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in members:
        name = key if isinstance(key, str) else _key_text(key, where, redactor)
        stored = escape(name)
        if stored in result:
            msg = f"{where} has two keys that both read {name!r}; make them differ as text."
            raise InvalidEvent(msg)
        if is_secret(name, value):
            result[stored] = masked(value, f"{where}.{name}", redactor, depth=depth + 1)
        else:
            result[stored] = jsonable(value, f"{where}.{name}", redactor, depth=depth + 1)
    return result


def _key_text(key: Any, where: str, redactor: Redactor) -> str:
    text = jsonable(key, f"a key of {where}", redactor)
    if isinstance(text, str):
        return text
    if text is None or isinstance(text, int | float):
        return orjson.dumps(text).decode("ascii")
    msg = f"{where} has a {type(key).__qualname__} as a key, which has no text; use a string."
    raise InvalidEvent(msg)


def _in_order(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except TypeError:
        # Mixed types have no order of their own: any fixed one makes equal sets equal bytes.
        return sorted(items, key=lambda item: (type(item).__name__, orjson.dumps(item)))


def _iso_duration(span: timedelta) -> str:
    # Not pydantic's text: it counts a year from 365 days up, and a year is no such thing.
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{span.microseconds:06d}".rstrip("0") if span.microseconds else ""
    days_text = f"{span.days}D" if span.days else ""
    time_text = f"{hours}H" if hours else ""
    time_text += f"{minutes}M" if minutes else ""
    if seconds or fraction or not (days_text or time_text):
        time_text += f"{seconds}{fraction}S"
    return f"{sign}P{days_text}{'T' if time_text else ''}{time_text}"


def rfc3339(moment: datetime) -> str:
    """Return an aware datetime as RFC 3339 in UTC, always with six digits of fraction."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
