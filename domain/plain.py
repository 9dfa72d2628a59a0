"""Which event classes orjson writes as the rules of `jsonable` would, and so may write alone.

Judged once a class, from its annotations: the values have been validated against them.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel

from minutebook.domain.personal import personal_fields
from minutebook.domain.redaction import is_secret_name

# Only exact types: a subclass (an IntEnum, a str with behaviour) takes the slower path.
_PLAIN_TYPES: Final = frozenset({str, int, bool, type(None), UUID})


class Plain(NamedTuple):
    """What is known of a plain class."""

    floats: tuple[str, ...]
    """Fields that may hold a float, and so NaN, which orjson would silently write as null."""
    field_count: int
    """How many entries its instances' ``__dict__`` has, unless a cached property is in it."""


_parts: dict[type[BaseModel], Plain | None] = {}


class _FieldCounts(dict[type, int]):
    def __missing__(self, cls: type) -> int:
        return -1


_field_counts: Final = _FieldCounts()
"""Of the parts without floats, of which nothing else is to be known."""


def judge(cls: type[BaseModel], names: Iterable[str]) -> Plain | None:
    """Return what is to be known of a class that is plain in these fields, or ``None``."""
    floats = []
    for name in names:
        annotation = cls.model_fields[name].annotation
        if (
            is_secret_name(name)
            or name in personal_fields(cls)
            or not _is_plain(annotation, float_too=True)
        ):
            return None
        if not _is_plain(annotation, float_too=False):
            floats.append(name)
    return Plain(tuple(floats), len(cls.model_fields))


def refuse_infinite(fields: Mapping[str, Any], floats: Iterable[str]) -> None:
    """Raise TypeError when a float among the fields is NaN or infinite.

    That an event refuses NaN when it is built does not settle it: a default is not
    validated, nor is what a nested model becomes.
    """
    for name in floats:
        value = fields[name]
        if value is not None and not isfinite(value):
            raise TypeError(name)


def plain_part(value: object) -> Any:
    """Return the fields of a nested model for orjson; TypeError when it is not plain."""
    # By the very class: a subclass of the declared model may hold anything.
    fields = value.__dict__
    if _field_counts[type(value)] == len(fields):
        return fields
    plain = _parts.get(type(value))  # type: ignore[arg-type]
    if plain is None or len(fields) != plain.field_count:
        raise TypeError(type(value).__name__)
    refuse_infinite(fields, plain.floats)
    return fields


def _is_plain(annotation: Any, *, float_too: bool) -> bool:
    """Tell whether values of an annotation are written by orjson as by the rules.

    Mappings are not: their keys may name secrets. Nor are floats in lists, for NaN could
    hide there from `refuse_infinite`.
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
        return _is_plain_part(annotation)
    return False


def _is_plain_part(cls: type[BaseModel]) -> bool:
    if cls not in _parts:
        # Until it is judged, a model that holds itself counts as not plain.
        _parts[cls] = None
        if cls.model_config.get("extra") != "allow":
            plain = _parts[cls] = judge(cls, cls.model_fields)
            if plain is not None and not plain.floats:
                _field_counts[cls] = plain.field_count
    return _parts[cls] is not None
