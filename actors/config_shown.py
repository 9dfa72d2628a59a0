"""Settings as they are answered: with their origin, and secrets protected."""

from __future__ import annotations

import contextlib
from typing import Any

from minutebook.actors.config_document import find
from minutebook.actors.config_layers import Layer, Layers
from minutebook.actors.config_model import ConfigModel, explained, related
from minutebook.domain.errors import InvalidCommand, InvalidConfig, InvalidEvent, UnknownConfigKey
from minutebook.domain.jsonable import jsonable
from minutebook.domain.redaction import Redactor
from minutebook.domain.setting import Judge, protected, recordable
from minutebook.domain.state import (
    ConfigExplanation,
    ConfigLayerValue,
    ConfigOrigin,
    ConfigSetting,
)
from minutebook.domain.state.config import ConfigLayer


class Shown:
    """The layers, for somebody to look at.

    Args:
        layers: what there is.
        model: makes the values; without one they are as they stand.
        judge: tells what is secret.
    """

    def __init__(self, layers: Layers, model: ConfigModel | None, judge: Judge) -> None:
        self.layers = layers
        """What there is."""
        self._model = model
        self._judge = judge

    def setting(self, key: str) -> ConfigSetting:
        """Return what holds.

        Raises:
            InvalidConfig: it does not fit the model.
            UnknownConfigKey: there is none.
            InvalidCommand: a part of the key is a value, not a table.
        """
        if self._model is None:
            value = find(self.layers.merged, key)
        else:
            value = self._model.value(key, self.layers)
        origin = self.layers.origin(key)
        assert origin is not None, key
        return self._setting(key, value, origin)

    def of_layer(self, name: ConfigLayer, key: str) -> ConfigSetting:
        """Return what one layer says; raises like `setting`."""
        (layer,) = (layer for layer in self.layers.layers if layer.name == name)
        try:
            value = find(layer.values, key)
        except UnknownConfigKey:
            msg = f"config {key}: the layer {name} has no such key; explain() names those that do."
            raise UnknownConfigKey(msg) from None
        return self._setting(key, value, layer.origin(key))

    def explanation(self, key: str, problems: list[str], redactor: Redactor) -> ConfigExplanation:
        """Say why a key has its value.

        Args:
            problems: of the files.
            redactor: masks secrets.
        """
        setting = None
        try:
            setting = self.setting(key)
        except (InvalidConfig, InvalidCommand) as error:
            problems = [str(error), *problems]
        except UnknownConfigKey as error:
            if self._model is None or not self._model.has(key):
                problems = [str(error), *problems]
        if self._model is not None:
            missing = [
                problem
                for problem in self._model.checked(self.layers)[1]
                if problem.missing and related(problem.key, key)
            ]
            if missing:
                problems = [explained(missing, self.layers), *problems]

        def masked(value: Any, judge: Judge) -> Any:
            return _masked(protected(key, value, judge), redactor)

        def of_layer(layer: Layer) -> ConfigLayerValue:
            # A variable that holds a number of tokens is no more secret than the number.
            judge = self._judge_text if layer.name == "environment" else self._judge
            value = masked(find(layer.values, key), judge)
            return ConfigLayerValue(value=value, origin=layer.origin(key))

        return ConfigExplanation(
            key=key,
            value=None if setting is None else masked(setting.value, self._judge),
            secret=self._judge(key, "?") if setting is None else setting.secret,
            origin=None if setting is None else setting.origin,
            layers=tuple(map(of_layer, self.layers.holding(key))),
            problems=tuple(problems),
        )

    def _judge_text(self, key: str, value: Any) -> bool:
        with contextlib.suppress(ValueError, TypeError):
            value = int(value)
        return self._judge(key, value)

    def _setting(self, key: str, value: Any, origin: ConfigOrigin) -> ConfigSetting:
        return ConfigSetting(
            key=key,
            value=protected(key, value, self._judge),
            secret=self._judge(key, value),
            scope=origin.layer,
            origin=origin,
        )


def _masked(value: Any, redactor: Redactor) -> Any:
    try:
        return jsonable(recordable(value, redactor), "value", redactor)
    # A type of the host's, which its model makes.
    except InvalidEvent:
        return str(value)
