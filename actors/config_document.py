"""A TOML text of settings: read whole, changed in place with its comments, and its lines."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from minutebook.domain.errors import ConfigError, InvalidCommand, UnknownConfigKey
from minutebook.domain.jsonable import NESTING_MAX

_REMOVED: Final = object()

_STATEMENT_LINES_MAX: Final = 200
"""Of a value that takes more lines, and of all after it, the line is not known."""


@dataclass(frozen=True)
class ConfigDocument:
    """What a file held when it was read; settings under dotted keys.

    Raises:
        ConfigError: when made by `parsed`, of a text that is no TOML.
    """

    path: Path
    """The file, for messages and origins."""
    text: str
    """All of it; empty when there is no file."""
    values: dict[str, Any]
    """All settings, nested, in the file's order; never changed in place."""

    @classmethod
    def parsed(cls, path: Path, text: str) -> ConfigDocument:
        """Read a text."""
        try:
            values = tomllib.loads(text)
        # RecursionError: of lists in lists in lists.
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise failed(path, "read", error) from error
        if _nesting(values) > NESTING_MAX:
            msg = (
                f"config file {path} nests deeper than {NESTING_MAX} levels, which no event can"
                " tell; flatten it."
            )
            raise ConfigError(msg)
        return cls(path, text, values)

    def with_value(self, key: str, value: Any) -> ConfigDocument:
        """Return it with one key set; comments and order are kept.

        Args:
            value: what TOML holds.

        Raises:
            ConfigError: the file is laid out so that this cannot be.
            InvalidCommand: a part of the key is a value, not a table.
        """
        return self._changed(key, value)

    def without(self, key: str) -> ConfigDocument:
        """Return it with one key removed; raises like `with_value`, and `UnknownConfigKey`."""
        find(self.values, key)
        return self._changed(key, _REMOVED)

    def line(self, key: str) -> int | None:
        """Return the line, from 1, where a key is set, or the first one below it."""
        below = key + "."
        return next(
            (line for name, line in self._lines if name == key or name.startswith(below)), None
        )

    @cached_property
    def _lines(self) -> list[tuple[str, int]]:
        return list(_lines_of(self.text))

    def _changed(self, key: str, value: Any) -> ConfigDocument:
        import tomlkit

        wanted = tomllib.loads(self.text)
        put(wanted, key, value)
        # tomlkit takes no dotted key or split table for what it is in some places, and would
        # move other settings: what it wrote is read back before it counts.
        for new_table in (dict, tomlkit.inline_table):
            document = tomlkit.parse(self.text)
            put(document, key, value, new_table)
            text = tomlkit.dumps(document)
            try:
                changed = tomllib.loads(text)
            except tomllib.TOMLDecodeError:
                continue
            if _same(changed, wanted):
                return ConfigDocument(self.path, text, changed)
        msg = (
            f"config file {self.path} is laid out so that {key} cannot be changed in it without"
            " changing more; change it by hand, or give each table one [header]."
        )
        raise ConfigError(msg)


def failed(path: Path, verb: str, error: Exception) -> ConfigError:
    """Return the error of a file that cannot be read, written or removed."""
    return ConfigError(
        f"config file {path} cannot be {verb}: {error}; correct it or its permissions."
    )


def find(settings: dict[str, Any], key: str) -> Any:
    """Return the value under a dotted key.

    Raises:
        UnknownConfigKey: there is none.
        InvalidCommand: a part of the key is a value, not a table.
    """
    table, name = _parent(settings, key, None)
    if table is None or name not in table:
        msg = f"config has no key {key!r}; list() names those there are."
        raise UnknownConfigKey(msg)
    return table[name]


def leaves(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values; an empty table is a value."""
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def put(table: Any, key: str, value: Any, new_table: Callable[[], Any] = dict) -> None:
    """Set a dotted key in nested tables, making those that are missing.

    Raises:
        InvalidCommand: a part of the key is a value, not a table.
    """
    parent, name = _parent(table, key, new_table)
    if value is _REMOVED:
        del parent[name]
    else:
        parent[name] = value


def remove(table: dict[str, Any], key: str) -> None:
    """Remove a dotted key that is there."""
    put(table, key, _REMOVED)


def _parent(table: Any, key: str, new_table: Callable[[], Any] | None) -> tuple[Any, str]:
    *parents, name = key.split(".")
    for depth, parent in enumerate(parents, 1):
        if parent not in table:
            if new_table is None:
                return None, name
            table[parent] = new_table()
        table = table[parent]
        if not isinstance(table, dict):
            above = ".".join(parents[:depth])
            msg = f"config {key}: {above} is a value, not a table; unset {above} first."
            raise InvalidCommand(msg)
    return table, name


def _lines_of(text: str) -> Iterator[tuple[str, int]]:
    """Yield each dotted key with the line where its statement begins.

    A statement is as many lines as it takes until they are TOML by themselves: so tomllib
    alone decides what is a text of several lines, a list or a quoted name.
    """
    header = ""
    statement: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        statement.append(line)
        try:
            said = tomllib.loads("\n".join(statement))
        except tomllib.TOMLDecodeError:
            # Each further line costs a parse of all before it.
            if len(statement) > _STATEMENT_LINES_MAX:
                return
            continue
        start = number - len(statement) + 1
        if said and statement[0].lstrip().startswith("["):
            ((header, _),) = leaves(_without_lists(said))
            yield header, start
        else:
            for key, _ in leaves(said):
                yield (f"{header}.{key}" if header else key), start
        statement = []


def _without_lists(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a header says: that of an item of a list as if it were of a table."""
    return {
        name: _without_lists(value[0] if isinstance(value, list) else value)
        for name, value in said.items()
    }


def _nesting(value: Any) -> int:
    """Return how many levels tables and lists have below each other."""
    level, depth = [value], 0
    while level:
        containers = [each for each in level if isinstance(each, dict | list)]
        level = [
            item
            for each in containers
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        depth += bool(containers)
    return depth


def _same(one: Any, other: Any) -> bool:
    """Tell whether two TOML values are equal, types and NaN included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))
