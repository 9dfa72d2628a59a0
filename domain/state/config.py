"""What the ConfigActor answers with."""

from __future__ import annotations

from typing import Any

from minutebook.domain.state.base import State


class ConfigSetting(State):
    """One setting."""

    key: str
    """Dotted name."""
    value: Any
    """Its value; a ``SecretStr`` when it is a secret text."""
    secret: bool
    """Whether it is masked wherever it is recorded."""
    scope: str
    """Which layer of the configuration holds it."""
