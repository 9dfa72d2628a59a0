"""The layers of a configuration, one over the other: what holds, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from minutebook.actors.config_document import ConfigDocument, find, leaves
from minutebook.domain.errors import InvalidCommand, UnknownConfigKey
from minutebook.domain.state import ConfigOrigin
from minutebook.domain.state.config import ConfigLayer


class Layer(NamedTuple):
    """What one layer says."""

    name: ConfigLayer
    """Which it is."""
    values: dict[str, Any]
    """Its settings, nested."""
    document: ConfigDocument | None = None
    """The file that they stand in."""
    variables: dict[str, str] = {}  # noqa: RUF012 - a tuple's field, never changed
    """The environment variable of each dotted key that one sets, in part or as a whole."""
    unread: dict[str, str] = {}  # noqa: RUF012 - the same
    """What is wrong with the value of a key, where it cannot even be read."""

    def origin(self, key: str) -> ConfigOrigin:
        """Return where the layer says something of a key."""
        if self.document is not None:
            path = str(self.document.path)
            return ConfigOrigin(layer=self.name, file=path, line=self.document.line(key))
        return ConfigOrigin(layer=self.name, variable=self._variable(key))

    def _variable(self, key: str) -> str | None:
        key = key.lower()
        below = (name for name in self.variables if name.startswith(f"{key}."))
        name = next((name for name in above(key) if name in self.variables), next(below, ""))
        return self.variables.get(name)

    def says(self, key: str) -> bool:
        """Tell whether the layer has a value of a key."""
        try:
            find(self.values, key)
        except (UnknownConfigKey, InvalidCommand):
            return False
        return True


class Layers:
    """Several layers, the lowest first.

    Args:
        layers: in order; a later one goes before an earlier one, table by table.
    """

    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers
        """All, the lowest first."""
        self.merged: dict[str, Any] = {}
        """What holds, nested."""
        for layer in layers:
            self.merged = _over(self.merged, layer.values)

    def up_to(self, name: ConfigLayer) -> Layers:
        """Return those up to a layer, it included."""
        names = [layer.name for layer in self.layers]
        return Layers(self.layers[: names.index(name) + 1])

    def holding(self, key: str) -> list[Layer]:
        """Return those that have a value of a key, the highest first."""
        return [layer for layer in reversed(self.layers) if layer.says(key)]

    def unread(self) -> Iterator[tuple[str, str]]:
        """Yield keys whose value cannot be read, and why, where no higher layer has another."""
        for place, layer in enumerate(self.layers):
            for key, why in layer.unread.items():
                if not any(higher.says(key) for higher in self.layers[place + 1 :]):
                    yield key, why

    def origin(self, key: str) -> ConfigOrigin | None:
        """Return where the value of a key, or the nearest one above it, comes from."""
        for name in above(key):
            holding = self.holding(name)
            if holding:
                return holding[0].origin(name)
        return None

    def leaves(self) -> Iterator[tuple[str, Any]]:
        """Yield what holds, leaf by leaf."""
        return leaves(self.merged)


def above(key: str) -> Iterator[str]:
    """Yield a dotted key, and the tables that it is in, the nearest first."""
    while key:
        yield key
        key = key.rpartition(".")[0]


def _over(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for name, value in upper.items():
        below = merged.get(name)
        both_tables = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = _over(below, value) if both_tables else value  # type: ignore[arg-type]
    return merged
