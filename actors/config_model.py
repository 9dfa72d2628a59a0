"""The host's model of its configuration: which keys there are, their types and defaults."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from minutebook.actors.config_document import find
from minutebook.actors.config_layers import Layers
from minutebook.domain.errors import InvalidConfig, UnknownConfigKey
from minutebook.domain.state.config import ConfigLayer

_LISTS: Final = (list, tuple, set, frozenset)
_PROBLEMS_SHOWN_MAX: Final = 20


class Problem(NamedTuple):
    """What is wrong with a value, a key, or several values together."""

    key: str
    """Dotted name; empty when it is about the whole model."""
    message: str
    """What is expected; never the value."""
    missing: bool = False
    """Whether no layer gives a value that the model requires."""
    together: bool = False
    """Whether it is about several values together, which a validator of a model refuses."""


class ConfigModel:
    """What the configuration is checked against.

    Args:
        model: the host's class, of pydantic-settings or pydantic. A key is a field's alias, or
            its name; what it does with keys that it has no field for is its ``extra``, and they
            are errors where it says nothing of them.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        model.model_rebuild()
        self.model = model
        """The host's class."""
        self.name = model.__name__
        """For messages."""
        self.defaults = _defaults(model)
        """The values of those fields that have one, nested."""

    def has(self, key: str) -> bool:
        """Tell whether a key may be set."""
        return bool(self._annotations(key))

    def is_secret(self, key: str) -> bool:
        """Tell whether a key, or one above it, is of a type for secrets."""
        annotations: list[Any] = [self.model]
        for part in key.split("."):
            annotations = [below for each in annotations for below in _below(each, part)]
            if any(map(_holds_secret, annotations)):
                return True
        return False

    def unknown(self, key: str) -> str:
        """Return the message for a key that the model does not have."""
        known = sorted(_names(self.model))
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:30])}"
        return f"{self.name} has no such key ({hint})"

    def checked(self, layers: Layers) -> tuple[BaseModel | None, list[Problem]]:
        """Return an instance of what holds, or what is wrong with it."""
        # A default is taken as it is, as pydantic does, unless a part of it is overlaid.
        said = [
            name for layer in layers.layers if layer.name != "defaults" for name in layer.values
        ]
        values = {name: layers.merged[name] for name in dict.fromkeys(said)}
        problems = [Problem(key, self.unknown(key)) for key in _unknown(self.model, values)]
        problems += [Problem(key, why) for key, why in layers.unread()]
        instance = self.model.__new__(self.model)
        try:
            # Not by calling the class: one of pydantic-settings would read its own sources.
            self.model.__pydantic_validator__.validate_python(values, self_instance=instance)
        except ValidationError as error:
            problems += self._explained(error, {problem.key for problem in problems})
        except Exception as error:  # noqa: BLE001 - a validator of the host's may raise anything
            problems.append(Problem("", f"a validator raised {type(error).__name__}"))
        return (None if problems else instance), problems

    def problems_in(self, layers: Layers, name: ConfigLayer) -> set[Problem]:
        """Return what is wrong with the single values of one layer, whatever lies above it."""
        layers = layers.up_to(name)
        found = set()
        for problem in self.checked(layers)[1]:
            origin = layers.origin(problem.key)
            is_its = origin is not None and origin.layer == name
            if is_its and not problem.missing and not problem.together:
                found.add(problem)
        return found

    def problems_together(self, layers: Layers) -> set[Problem]:
        """Return what is wrong with the values of all layers taken together."""
        return {problem for problem in self.checked(layers)[1] if problem.together}

    def value(self, key: str, layers: Layers) -> Any:
        """Return the value of a key, as the model makes it.

        Raises:
            InvalidConfig: it does not fit; other values are not looked at.
            UnknownConfigKey: the model has no such key, or no layer has a value of it.
            InvalidCommand: a part of the key is a value, not a table.
        """
        if not self.has(key):
            msg = f"config {key}: {self.unknown(key)}; correct the name."
            raise UnknownConfigKey(msg)
        instance, problems = self.checked(layers)
        own = [p for p in problems if not p.missing and related(p.key, key)]
        if own:
            raise InvalidConfig(explained(own, layers))
        raw = find(layers.merged, key)
        if instance is not None:
            return _plain(_walked(instance, key, raw))
        field = self._field(key)
        if field is None:
            return raw
        annotation: Any = field.annotation
        metadata = field.metadata
        if metadata:
            annotation = Annotated[(annotation, *metadata)]
        try:
            return _plain(TypeAdapter(annotation).validate_python(raw))
        # A rule of the whole model makes it valid: it had no problem of its own.
        except ValidationError:
            return raw

    def _explained(self, error: ValidationError, explained: set[str]) -> Iterator[Problem]:
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            key = ".".join(map(str, detail["loc"]))
            if key in explained and detail["type"] == "extra_forbidden":
                continue
            # Items of lists are typed, and judged, as what is below the list.
            typed = ".".join(part for part in detail["loc"] if isinstance(part, str))
            annotations = self._annotations(typed) if typed else [self.model]
            expected = " or ".join(map(_described, annotations))
            if detail["type"] == "missing":
                message = f"{self.name} requires it ({expected}), and no layer gives it"
                # A list comes from one layer as a whole.
                in_list = any(isinstance(part, int) for part in detail["loc"])
                yield Problem(key, message, missing=not in_list)
            elif typed and self.is_secret(typed):
                # pydantic's messages may show a part of what was given.
                yield Problem(key, f"has no valid value; {self.name} expects {expected}")
            else:
                together = any(_models(each) for each in annotations)
                by_validator = detail["type"] in {"value_error", "assertion_error"}
                message = f"{detail['msg']} ({expected})" if expected else detail["msg"]
                yield Problem(key, message, together=together and by_validator)

    def _annotations(self, key: str) -> list[Any]:
        annotations: list[Any] = [self.model]
        for part in key.split("."):
            annotations = [below for each in annotations for below in _below(each, part)]
        return annotations

    def _field(self, key: str) -> FieldInfo | None:
        model: type[BaseModel] | None = self.model
        field = None
        for part in key.split("."):
            found = None if model is None else _field_of(model, part)
            if found is None:
                return None
            field = found[1]
            models = _models(field.annotation)
            model = models[0] if len(models) == 1 else None
        return field


def explained(
    problems: list[Problem], layers: Layers, changing: tuple[str, ConfigLayer] | None = None
) -> str:
    """Return the message of an error: each problem with where its value stands.

    Args:
        changing: key and layer of a value that is to be set, and stands nowhere yet.
    """
    texts = []
    for problem in problems[:_PROBLEMS_SHOWN_MAX]:
        origin = None if problem.missing else layers.origin(problem.key)
        place = "" if origin is None else f" ({origin})"
        if changing is not None and related(problem.key, changing[0]):
            place = f" (to be set in the layer {changing[1]})"
        texts.append(f"{problem.key or 'all together'}{place}: {problem.message}")
    if len(problems) > _PROBLEMS_SHOWN_MAX:
        texts.append(f"and {len(problems) - _PROBLEMS_SHOWN_MAX} more")
    return f"config {'; '.join(texts)}. Correct it."


def related(one: str, other: str) -> bool:
    """Tell whether one of two keys is the other, or below it."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _key_of(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return alias if isinstance(alias, str) else name


def _field_of(model: type[BaseModel], part: str) -> tuple[str, FieldInfo] | None:
    for name, field in model.model_fields.items():
        if part in (name, _key_of(name, field)):
            return name, field
    return None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation names: by itself, or as one choice of several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    if origin is None or origin in _LISTS or _is_mapping(origin):
        return []
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _below(annotation: Any, part: str) -> list[Any]:
    """Return what a name may be below a value of some type; nothing where it cannot be."""
    if annotation is Any or annotation is object:
        return [Any]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        found = _field_of(annotation, part)
        if found is not None:
            return [found[1].annotation]
        return [Any] if annotation.model_config.get("extra") in {"allow", "ignore"} else []
    origin = get_origin(annotation)
    if _is_mapping(annotation):
        return [Any]
    if _is_mapping(origin):
        return [get_args(annotation)[1]]
    # Below a list stands what is below each item: as secrets are looked for.
    return [below for argument in get_args(annotation) for below in _below(argument, part)]


def _holds_secret(annotation: Any) -> bool:
    if hasattr(annotation, "get_secret_value"):
        return True
    return any(map(_holds_secret, get_args(annotation)))


def _unknown(model: Any, values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        below = _below(model, name)
        if not below:
            yield prefix + name
        elif isinstance(value, dict):
            models = [each for annotation in below for each in _models(annotation)]
            # Which one of several is meant, pydantic decides.
            if len(models) == 1:
                yield from _unknown(models[0], value, f"{prefix}{name}.")


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key, models = _key_of(name, field), _models(field.annotation)
        if not field.is_required() and not field.default_factory_takes_validated_data:
            value = _plain(field.get_default(call_default_factory=True))
            if value is not None:
                defaults[key] = value
        elif field.is_required() and len(models) == 1 and models[0] is field.annotation:
            below = _defaults(models[0])
            if below:
                defaults[key] = below
    return defaults


def _names(model: type[BaseModel], prefix: str = "", depth: int = 0) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = prefix + _key_of(name, field)
        models = _models(field.annotation)
        # A model may be part of itself.
        if models and depth < 5:
            for below in models:
                yield from _names(below, f"{key}.", depth + 1)
        else:
            yield key


def _walked(value: Any, key: str, raw: Any) -> Any:
    for part in key.split("."):
        if isinstance(value, BaseModel):
            found = _field_of(type(value), part)
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


def _plain(value: Any) -> Any:
    """Return a value with mappings in the place of models; what else it is, it stays."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        members = {_key_of(name, field): value.__dict__[name] for name, field in fields.items()}
        return {name: _plain(item) for name, item in (members | (value.model_extra or {})).items()}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _described(annotation: Any) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return re.sub(r"\b\w+\.", "", str(annotation))
