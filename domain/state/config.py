"""What the ConfigActor answers with."""

from __future__ import annotations

from typing import Any, Literal

from minutebook.domain.state.base import State

ConfigLayer = Literal["defaults", "file", "project", "environment", "override"]
"""Where a value comes from; the later goes before the earlier."""


class ConfigOrigin(State):
    """Where a value stands."""

    layer: ConfigLayer
    """In which layer."""
    file: str | None = None
    """Path of the file, where the layer has one."""
    line: int | None = None
    """Line in it, from 1, where the value, or the first below a table, begins."""
    variable: str | None = None
    """Name of the environment variable."""

    def __str__(self) -> str:
        place = self.variable or self.file
        if place is not None and self.line is not None:
            place = f"{place}:{self.line}"
        return self.layer if place is None else f"{self.layer} {place}"


class ConfigSetting(State):
    """One setting."""

    key: str
    """Dotted name."""
    value: Any
    """Its value; a ``SecretStr`` when it is a secret text."""
    secret: bool
    """Whether it is masked wherever it is recorded."""
    scope: str
    """Which layer of the configuration holds it: that of `origin`."""
    origin: ConfigOrigin
    """Where it comes from; of a table, the highest layer that has a part of it."""


class UnsetSetting(ConfigSetting):
    """A setting that was removed from a layer, as it was there."""

    effective: ConfigSetting | None
    """What holds now, from another layer; ``None`` when none has it."""


class ConfigLayerValue(State):
    """What one layer says of a setting."""

    value: Any
    """As it stands there, a secret masked: ``[secret hmac-sha256:...]``."""
    origin: ConfigOrigin
    """Where."""


class ConfigExplanation(State):
    """Why a setting has its value."""

    key: str
    """Dotted name."""
    value: Any
    """What holds, as the host's model makes it, a secret masked; ``None`` when there is none."""
    secret: bool
    """Whether it is masked."""
    origin: ConfigOrigin | None
    """Where what holds comes from; ``None`` when no layer has it."""
    layers: tuple[ConfigLayerValue, ...]
    """What each layer says that has it, from the one that holds down to the defaults."""
    problems: tuple[str, ...]
    """What is wrong with it, and with files of which the last good values are used."""
