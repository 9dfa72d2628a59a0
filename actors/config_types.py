"""Types of a pydantic model, walked along dotted keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_LISTS: Final = (list, tuple, set, frozenset)
_MODELS_DEPTH_MAX: Final = 5


def key_of(name: str, field: FieldInfo) -> str:
    """Return the name of a setting that goes into a field."""
    alias = field.validation_alias
    return alias if isinstance(alias, str) else name


def field_of(model: type[BaseModel], part: str) -> tuple[str, FieldInfo] | None:
    """Return the field of a model for one part of a key, by its alias or name."""
    for name, field in model.model_fields.items():
        if part in (name, key_of(name, field)):
            return name, field
    return None


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation names: by itself, or as one choice of several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    if origin is None or origin in _LISTS or _is_mapping(origin):
        return []
    return [model for argument in get_args(annotation) for model in models_of(argument)]


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def below_of(annotation: Any, part: str) -> list[Any]:
    """Return what a name may be below a value of some type; nothing where it cannot be."""
    if annotation is Any or annotation is object:
        return [Any]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        found = field_of(annotation, part)
        if found is not None:
            return [found[1].annotation]
        return [Any] if annotation.model_config.get("extra") in {"allow", "ignore"} else []
    origin = get_origin(annotation)
    if _is_mapping(annotation):
        return [Any]
    if _is_mapping(origin):
        return [get_args(annotation)[1]]
    # Below a list stands what is below each item: as secrets are looked for.
    return [below for argument in get_args(annotation) for below in below_of(argument, part)]


def holds_secret(annotation: Any) -> bool:
    """Tell whether a type is one for secrets, or a choice, list or mapping of them."""
    if hasattr(annotation, "get_secret_value"):
        return True
    return any(map(holds_secret, get_args(annotation)))


def defaults_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the defaults of a model and of those below it, nested under their keys."""
    defaults: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key, models = key_of(name, field), models_of(field.annotation)
        if not field.is_required() and not field.default_factory_takes_validated_data:
            value = plain(field.get_default(call_default_factory=True))
            if value is not None:
                defaults[key] = value
        elif field.is_required() and len(models) == 1 and models[0] is field.annotation:
            below = defaults_of(models[0])
            if below:
                defaults[key] = below
    return defaults


def names_of(model: type[BaseModel], prefix: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the keys of a model's single values."""
    for name, field in model.model_fields.items():
        key = prefix + key_of(name, field)
        models = models_of(field.annotation)
        # A model may be part of itself.
        if models and depth < _MODELS_DEPTH_MAX:
            for below in models:
                yield from names_of(below, f"{key}.", depth + 1)
        else:
            yield key


def walked(value: Any, key: str, raw: Any) -> Any:
    """Return what an instance has under a key; something else where it has nothing."""
    for part in key.split("."):
        if isinstance(value, BaseModel):
            found = field_of(type(value), part)
            members = value.__dict__ | (value.model_extra or {})
            name = part if found is None else found[0]
            if name not in members:
                return raw
            value = members[name]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return raw
    return value


def plain(value: Any) -> Any:
    """Return a value with mappings in the place of models; what else it is, it stays."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        members = {key_of(name, field): value.__dict__[name] for name, field in fields.items()}
        return {name: plain(item) for name, item in (members | (value.model_extra or {})).items()}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def described(annotation: Any) -> str:
    """Return a type as a person writes it."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return re.sub(r"\b\w+\.", "", str(annotation))
