"""``system.config``: the caller's side of the ConfigActor."""

from __future__ import annotations

import os
from typing import Any

from pykka import Future

from minutebook.actors.base import Service, path_text
from minutebook.domain.commands import (
    DeleteConfig,
    ExplainConfig,
    GetConfig,
    GetTypedConfig,
    ListConfig,
    SetConfig,
    UnsetConfig,
)
from minutebook.domain.commands.config import WritableLayer
from minutebook.domain.state import ConfigExplanation, ConfigSetting, UnsetSetting

Project = str | os.PathLike[str] | None
"""A project's directory, in which the file is ``.minutebook.toml``; or a ``.toml`` file."""


class Config(Service):
    """Each call returns a future; errors are raised by its ``get``.

    Layers, the later before the earlier: the model's ``defaults``; the host's ``file``; the
    file of the ``project`` that a call names; the ``environment``; and the ``override``, which
    is in memory, for this process, as an option of a command line is.
    """

    def get(self, key: str, *, project: Project = None) -> Future[ConfigSetting]:
        """Look up what holds.

        Raises `UnknownConfigKey` when there is none, and `InvalidConfig` when it does not fit the
        model. Of a file that an edit made unusable, the last good values are used.
        """
        return self.ask(GetConfig(key=key, project=_named(project)))

    def list(self, *, project: Project = None) -> Future[tuple[ConfigSetting, ...]]:
        """List what holds, leaf by leaf: defaults first, then in the order of the files."""
        return self.ask(ListConfig(project=_named(project)))

    def explain(self, key: str, *, project: Project = None) -> Future[ConfigExplanation]:
        """Say what each layer has of a key, secrets masked, and which one holds."""
        return self.ask(ExplainConfig(key=key, project=_named(project)))

    def typed(self, *, project: Project = None) -> Future[Any]:
        """Return an instance of the ``config_model`` that the system was opened with.

        Raises `InvalidConfig`, which names all that is wrong.
        """
        return self.ask(GetTypedConfig(project=_named(project)))

    def set(
        self,
        key: str,
        value: Any,
        *,
        secret: bool | None = None,
        layer: WritableLayer = "file",
        project: Project = None,
    ) -> Future[ConfigSetting]:
        """Set a setting in one layer.

        Args:
            key: dotted name, such as ``model.name``.
            value: what TOML can hold; a ``SecretStr`` is taken for secret.
            secret: whether it is masked wherever it is recorded; judged by the model and the
                name (``api_key``, ``password``, ...) when not given. Remembered for the key.
            layer: ``file``, ``project`` or ``override``.
            project: for that layer, and no other.

        Raises `InvalidConfig` when it does not fit the model; nothing is changed then.
        """
        return self.ask(
            SetConfig(key=key, value=value, secret=secret, layer=layer, project=_named(project))
        )

    def unset(
        self, key: str, *, layer: WritableLayer = "file", project: Project = None
    ) -> Future[UnsetSetting]:
        """Remove a setting from one layer; say what it was there, and what holds now.

        Raises `UnknownConfigKey` when the layer has none.
        """
        return self.ask(UnsetConfig(key=key, layer=layer, project=_named(project)))

    def delete(self, *, layer: WritableLayer = "file", project: Project = None) -> Future[int]:
        """Remove all of a layer, with its file, and say how many settings it had."""
        return self.ask(DeleteConfig(layer=layer, project=_named(project)))


def _named(project: Project) -> str | None:
    return None if project is None else path_text(project)
