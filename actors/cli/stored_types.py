"""Type annotations in the words of what is stored: JSON."""

from __future__ import annotations

import dataclasses
import types
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, SecretBytes, SecretStr

_MOMENT: Final = "time (RFC 3339, UTC)"

_WORDS: Final[tuple[tuple[type, str], ...]] = (
    (str, "text"),
    (bool, "true or false"),
    (int, "integer"),
    (float, "number"),
    (datetime, _MOMENT),
    (date, "date (ISO 8601)"),
    (time, "time of day (ISO 8601)"),
    (timedelta, "duration (ISO 8601)"),
    (bytes, "text (base64)"),
    (SecretStr, "text (masked)"),
    (SecretBytes, "text (masked)"),
    (UUID, "text (UUID)"),
    (Decimal, "text (decimal number)"),
    (PurePath, "text (path)"),
    (IPv4Address, "text (IP address)"),
    (IPv6Address, "text (IP address)"),
)

_LISTS: Final = (list, tuple, set, frozenset, deque, Sequence, AbstractSet)


def stored_type(annotation: Any) -> str:
    """Say in words, in Markdown, what JSON holds for a value of an annotation."""
    if annotation is None or annotation is type(None):
        return "null"
    if annotation is Any:
        return "any value"
    if annotation is AwareDatetime:
        return _MOMENT
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return stored_type(arguments[0])
    if origin is Literal:
        return _one_of(arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(map(stored_type, arguments)))
    kind = annotation if origin is None else origin
    if not isinstance(kind, type):
        return f"`{annotation}`"
    if issubclass(kind, Enum):
        return _one_of([member.value for member in kind])
    if issubclass(kind, BaseModel):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if dataclasses.is_dataclass(kind):
        return "object"
    if issubclass(kind, Mapping):
        return f"object of {stored_type(arguments[1])}" if arguments else "object"
    for known, words in _WORDS:
        if issubclass(kind, known):
            return words
    if issubclass(kind, _LISTS):
        items = dict.fromkeys(stored_type(item) for item in arguments if item is not ...)
        return f"list of {' or '.join(items)}" if items else "list"
    return f"`{kind.__name__}`"


def parts_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that are named in an annotation, and those in their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        annotation.model_rebuild()
        for field in annotation.model_fields.values():
            yield from parts_of(field.annotation)
    for argument in get_args(annotation):
        yield from parts_of(argument)


def _one_of(values: Sequence[Any]) -> str:
    return ", ".join(f"`{value}`" for value in values)
