"""The layer of environment variables: ``SHOP_MODEL__NAME`` sets ``model.name``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from minutebook.actors.config_document import put
from minutebook.actors.config_layers import Layer
from minutebook.actors.config_model import ConfigModel
from minutebook.domain.errors import InvalidCommand

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

_DELIMITER: Final = "__"
"""Between the parts of a dotted key."""


class Environment(NamedTuple):
    """What the environment says, and what of it is of no use."""

    layer: Layer
    """Its values."""
    ignored: list[str]
    """Variables with the prefix that set nothing."""


def read_environment(prefix: str, model: ConfigModel | None) -> Environment:
    """Return what the variables of this process say now.

    Empty variables count as unset, and the case of names makes no difference.

    Args:
        prefix: what the names begin with.
        model: decides how a text is read, as pydantic-settings does; without one all are texts.
    """
    variables = {
        name[len(prefix) :].lower().replace(_DELIMITER, "."): name
        for name, value in sorted(os.environ.items())
        if value and name.upper().startswith(prefix.upper()) and len(name) > len(prefix)
    }
    if model is None:
        return _as_texts(variables)
    return _as_typed(prefix, variables, model)


def _as_texts(variables: dict[str, str]) -> Environment:
    values: dict[str, Any] = {}
    ignored = []
    for key, name in variables.items():
        try:
            if not all(key.split(".")):
                raise InvalidCommand(key)
            put(values, key, os.environ[name])
        except InvalidCommand:
            ignored.append(name)
    return Environment(Layer("environment", values, variables=variables), ignored)


def _as_typed(prefix: str, variables: dict[str, str], model: ConfigModel) -> Environment:
    from pydantic_settings import EnvSettingsSource

    source = EnvSettingsSource(
        cast("type[BaseSettings]", model.model),
        case_sensitive=False,
        env_prefix=prefix,
        env_nested_delimiter=_DELIMITER,
        env_ignore_empty=True,
    )
    values: dict[str, Any] = {}
    unread = {}
    # Field by field, so that one that cannot be read is an error of its own only.
    for name, field in model.model.model_fields.items():
        key = name
        try:
            value, key, is_complex = source.get_field_value(field, name)
            value = source.prepare_field_value(name, field, value, is_complex)
        except ValueError:
            variable = variables.get(key.lower(), prefix + key.upper())
            unread[key] = f"{variable} is no JSON, which {model.name} expects"
            continue
        if value is not None:
            values[key] = value
    # pydantic-settings takes an alias for the whole name of a variable.
    known = {key.lower() for key in values}
    unprefixed = {name.lower(): name for name in os.environ if name.lower() in known}
    fields = {field.lower() for field in [*model.model.model_fields, *values]}
    ignored = [name for key, name in variables.items() if key.partition(".")[0] not in fields]
    layer = Layer("environment", values, variables=unprefixed | variables, unread=unread)
    return Environment(layer, ignored)
