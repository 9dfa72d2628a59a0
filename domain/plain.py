"""Which event classes orjson writes as the rules of `jsonable` would, and so may write alone.

Judged once a class, from its annotations: the values have been validated against them.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from math import isfinite
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

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
    parts: tuple[type[BaseModel], ...]
    """The models that its fields may hold."""


_parts: dict[type[BaseModel], Plain | None] = {}

# Set on the classes of parts that `marked_part` may write, and found on nothing else.
_MARK: Final = "__minutebook_part__"

marked_part: Final[Callable[[object], Any]] = attrgetter(_MARK)
"""Like `plain_part`, in C: where every part is marked, and none of their classes has a subclass,
whose instances may hold anything. AttributeError, which orjson makes a TypeError, for others."""


class _FieldCounts(dict[type, int]):
    def __missing__(self, cls: type) -> int:
        return -1


_field_counts: Final = _FieldCounts()
"""Of the parts without floats, of which nothing else is to be known."""


def judge(cls: type[BaseModel], names: Iterable[str]) -> Plain | None:
    """Return what is to be known of a class that is plain in these fields, or ``None``."""
    floats = []
    parts: dict[type[BaseModel], None] = {}
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
        parts.update(dict.fromkeys(_models_in(annotation)))
    return Plain(tuple(floats), len(cls.model_fields), tuple(parts))


def settled_floats(cls: type[BaseModel], floats: Iterable[str]) -> frozenset[str]:
    """Return the fields of a frozen class without NaN for which its building has settled that.

    Pydantic refuses NaN with ``allow_inf_nan=False``, but does not look at defaults, and not
    again at what a validator or the class's own code makes of a value.
    """
    decorators = cls.__pydantic_decorators__
    if (
        decorators.validators
        or decorators.root_validators
        or decorators.field_validators
        or decorators.model_validators
        or any(_is_overridden(cls, name) for name in _BUILDING)
    ):
        return frozenset()
    return frozenset(name for name in floats if _is_settled(cls.model_fields[name]))


def all_parts(parts: Iterable[type[BaseModel]]) -> tuple[type[BaseModel], ...]:
    """Return these plain models and all that they may hold, each once."""
    found: dict[type[BaseModel], None] = {}
    for cls in parts:
        plain = _parts[cls]
        assert plain is not None, cls
        found.update(dict.fromkeys((cls, *all_parts(plain.parts))))
    return tuple(found)


def are_marked(parts: Iterable[type[BaseModel]]) -> bool:
    """Tell whether `marked_part` may write all of these; they are `all_parts`."""
    return all(_MARK in vars(cls) and not cls.__subclasses__() for cls in parts)


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
                if not _has_cached_property(cls):
                    setattr(cls, _MARK, vars(BaseModel)["__dict__"])
    return _parts[cls] is not None


# What a class may define to have a say in the values of its instances.
_BUILDING: Final = (
    "__new__",
    "__init__",
    "__setattr__",
    "__get_pydantic_core_schema__",
    "model_post_init",
)


def _is_overridden(cls: type[BaseModel], name: str) -> bool:
    owner = next(base for base in cls.__mro__ if name in vars(base))
    return owner is not object and not owner.__module__.startswith(("pydantic.", "minutebook."))


def _is_settled(field: FieldInfo) -> bool:
    if field.metadata or field.default_factory is not None:
        return False
    return field.is_required() or field.default is None or isfinite(field.default)


def _has_cached_property(cls: type) -> bool:
    # Once read, its value lies among the fields.
    return any(
        isinstance(value, cached_property) for base in cls.__mro__ for value in vars(base).values()
    )


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
