"""The host's model of its configuration: which keys there are, their types and defaults."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from minutebook.actors.config_document import find
from minutebook.actors.config_layers import Layers
from minutebook.actors.config_types import (
    below_of,
    defaults_of,
    described,
    field_of,
    holds_secret,
    models_of,
    names_of,
    plain,
    walked,
)
from minutebook.domain.errors import InvalidConfig, UnknownConfigKey
from minutebook.domain.state.config import ConfigLayer

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
        self.defaults = defaults_of(model)
        """The values of those fields that have one, nested."""

    def has(self, key: str) -> bool:
        """Tell whether a key may be set."""
        return bool(self._annotations(key))

    def is_secret(self, key: str) -> bool:
        """Tell whether a key, or one above it, is of a type for secrets."""
        annotations: list[Any] = [self.model]
        for part in key.split("."):
            annotations = [below for each in annotations for below in below_of(each, part)]
            if any(map(holds_secret, annotations)):
                return True
        return False

    def unknown(self, key: str) -> str:
        """Return the message for a key that the model does not have."""
        known = sorted(names_of(self.model))
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
            return plain(walked(instance, key, raw))
        field = self._field(key)
        if field is None:
            return raw
        annotation: Any = field.annotation
        metadata = field.metadata
        if metadata:
            annotation = Annotated[(annotation, *metadata)]
        try:
            return plain(TypeAdapter(annotation).validate_python(raw))
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
            expected = " or ".join(map(described, annotations))
            if detail["type"] == "missing":
                message = f"{self.name} requires it ({expected}), and no layer gives it"
                # A list comes from one layer as a whole.
                in_list = any(isinstance(part, int) for part in detail["loc"])
                yield Problem(key, message, missing=not in_list)
            elif typed and self.is_secret(typed):
                # pydantic's messages may show a part of what was given.
                yield Problem(key, f"has no valid value; {self.name} expects {expected}")
            else:
                together = any(models_of(each) for each in annotations)
                by_validator = detail["type"] in {"value_error", "assertion_error"}
                message = f"{detail['msg']} ({expected})" if expected else detail["msg"]
                yield Problem(key, message, together=together and by_validator)

    def _annotations(self, key: str) -> list[Any]:
        annotations: list[Any] = [self.model]
        for part in key.split("."):
            annotations = [below for each in annotations for below in below_of(each, part)]
        return annotations

    def _field(self, key: str) -> FieldInfo | None:
        model: type[BaseModel] | None = self.model
        field = None
        for part in key.split("."):
            found = None if model is None else field_of(model, part)
            if found is None:
                return None
            field = found[1]
            models = models_of(field.annotation)
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


def _unknown(model: Any, values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        below = below_of(model, name)
        if not below:
            yield prefix + name
        elif isinstance(value, dict):
            models = [each for annotation in below for each in models_of(annotation)]
            # Which one of several is meant, pydantic decides.
            if len(models) == 1:
                yield from _unknown(models[0], value, f"{prefix}{name}.")
