"""What a host chooses for its configuration, and what outlives a ConfigActor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from minutebook.domain.errors import SettingsError


def check_model(model: object) -> None:
    """Refuse what is no model.

    Raises:
        SettingsError: it is not a class of pydantic's.
    """
    if model is not None and not (isinstance(model, type) and issubclass(model, BaseModel)):
        msg = (
            "config_model is the class itself, made with pydantic_settings.BaseSettings or"
            f" pydantic.BaseModel, not a {type(model).__name__}; nothing was opened."
        )
        raise SettingsError(msg)


def _note_nowhere(problem: str | None) -> None:
    """Tell nobody."""


@dataclass
class ConfigOptions:
    """One for all ConfigActors that a process starts: after a fork, the child has its copy."""

    model: type[BaseModel] | None = None
    """What values are checked against; without one they are taken as they are."""
    env_prefix: str | None = None
    """What the names of environment variables begin with; that of the model, when not given, and
    without one there are none."""
    note_problem: Callable[[str | None], None] = _note_nowhere
    """Told what is wrong with the files, or that nothing is any more."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """The layer ``override``, nested; replaced as a whole, and gone with the process."""
