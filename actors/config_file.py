"""The configuration's TOML file: read whole, changed in place, written atomically."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from minutebook.domain.errors import ConfigError, InvalidCommand, UnknownConfigKey

if TYPE_CHECKING:
    from collections.abc import Callable

_REMOVED: Final = object()


class ConfigFile:
    """One file of settings under dotted keys; comments and order are kept.

    It is read anew each time, so edits by hand count. A change is staged first, in a file
    beside it, and then made by one rename: as long as the staged file is there, it was not
    made. Whoever changes it keeps others from doing so at the same time.

    Args:
        path: made, with mode 0600, with the first setting.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> Path:
        """Where the file is, behind all links."""
        return self._path.resolve()

    @property
    def name(self) -> Path:
        """Where it is looked for: the same, or a link to it."""
        return self._path.absolute()

    def load(self) -> dict[str, Any]:
        """Return all settings, nested, in the file's order.

        Raises:
            ConfigError: it cannot be read, or is no TOML.
        """
        return self._parsed(self._read())

    def stage_set(self, key: str, value: Any) -> None:
        """Stage the setting of one key.

        Args:
            value: what TOML holds.

        Raises:
            ConfigError: the file cannot be read, or the staged one not be written.
            InvalidCommand: a part of the key is a value, not a table.
        """
        self._stage(self._changed(key, value))

    def stage_unset(self, key: str) -> None:
        """Stage the removal of one key; raises like `stage_set`, and `UnknownConfigKey`."""
        self._stage(self._changed(key, _REMOVED))

    def make(self) -> None:
        """Make the staged change; raises `ConfigError`."""
        try:
            staged_beside(self.place).replace(self.place)
            _sync_directory(self.place.parent)
        except OSError as error:
            raise _failed(self.place, "written", error) from error

    def discard(self) -> None:
        """Make nothing of what was staged."""
        staged_beside(self.place).unlink(missing_ok=True)

    def delete(self) -> None:
        """Remove the file; raises `ConfigError`."""
        try:
            self._path.unlink()
            _sync_directory(self._path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failed(self._path, "removed", error) from error

    def _changed(self, key: str, value: Any) -> str:
        import tomllib

        import tomlkit

        text = self._read()
        wanted = self._parsed(text)
        _put(wanted, key, value, dict)
        # tomlkit takes no dotted key or split table for what it is in some places, and would
        # move other settings: what it wrote is read back before it counts.
        for new_table in (dict, tomlkit.inline_table):
            document = tomlkit.parse(text)
            _put(document, key, value, new_table)
            changed = tomlkit.dumps(document)
            try:
                if _same(tomllib.loads(changed), wanted):
                    return changed
            except tomllib.TOMLDecodeError:
                continue
        msg = (
            f"config file {self._path} is laid out so that {key} cannot be changed in it without"
            " changing more; change it by hand, or give each table one [header]."
        )
        raise ConfigError(msg)

    def _read(self) -> str:
        try:
            # As bytes: text mode would turn a file with CRLF into one without.
            return self._path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise _failed(self._path, "read", error) from error

    def _parsed(self, text: str) -> dict[str, Any]:
        import tomllib

        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise _failed(self._path, "read", error) from error

    def _stage(self, text: str) -> None:
        staged = staged_beside(self.place)
        try:
            # What a kill left, secrets in it, is taken away.
            staged.unlink(missing_ok=True)
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(staged, flags, 0o600), "wb") as file:
                    file.write(text.encode("utf-8"))
                    file.flush()
                    os.fsync(file.fileno())
                # Its absence is to mean that the change was made, after a power failure too.
                _sync_directory(staged.parent)
            except BaseException:
                staged.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _failed(self.place, "written", error) from error


def staged_beside(place: Path) -> Path:
    """Return where a change of a file is staged."""
    return place.with_name(f"{place.name}.new")


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


def _put(table: Any, key: str, value: Any, new_table: Callable[[], Any]) -> None:
    parent, name = _parent(table, key, new_table)
    if value is _REMOVED:
        del parent[name]
    else:
        parent[name] = value


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


def _same(one: Any, other: Any) -> bool:
    """Tell whether two TOML values are equal, types and NaN included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def _failed(path: Path, verb: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"config file {path} cannot be {verb}: {error}; correct it or its permissions."
    )


def _sync_directory(path: Path) -> None:
    """Make a rename in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
