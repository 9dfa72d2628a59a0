"""ConfigActor: settings in one TOML file, written atomically; every change is told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Secret, SecretStr
from pykka import Future

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.base import Service, ServiceActor, Tell, handles
from minutebook.domain.commands import (
    DeleteConfig,
    GetConfig,
    ListConfig,
    SetConfig,
    UnsetConfig,
)
from minutebook.domain.errors import ConfigError, InvalidCommand, UnknownConfigKey
from minutebook.domain.events import ConfigChanged, EntityDeleted
from minutebook.domain.redaction import Redactor, is_secret
from minutebook.domain.state import ConfigSetting

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

SCOPE: Final = "file"
"""The one layer that there is."""


class ConfigActor(ServiceActor):
    """Reads and writes the file, and tells each change with secrets masked.

    The file is read anew for each command, so edits by hand count; comments and order are
    kept. A secret's value stands in the file (mode 0600), and nowhere else.

    Args:
        service: the host's name.
        tell: takes the events.
        database: the actor's own connection; remembers what was said to be secret.
        path: the TOML file; made with the first setting.
        redactor: masks secrets.
    """

    name = "config"

    def __init__(
        self, service: str, tell: Tell, database: AppDatabase, path: Path, redactor: Redactor
    ) -> None:
        super().__init__(service)
        self._tell = tell
        self._database = database
        self._path = path
        self._redactor = redactor

    def on_stop(self) -> None:
        """Close the database."""
        self._database.close()

    @handles(GetConfig)
    def get(self, command: GetConfig) -> ConfigSetting:
        """Look up one setting."""
        table, name = self._parent(self._read(), command.key)
        if table is None or name not in table:
            raise UnknownConfigKey(_unknown(command.key))
        return self._setting(command.key, _plain(table[name]))

    @handles(ListConfig)
    def list(self, command: ListConfig) -> tuple[ConfigSetting, ...]:
        """List the settings, leaf by leaf."""
        return tuple(self._setting(key, value) for key, value in _leaves(self._read().unwrap(), ""))

    @handles(SetConfig)
    def set(self, command: SetConfig) -> ConfigSetting:
        """Set a setting."""
        import tomlkit

        value = command.value
        secret = command.secret
        if isinstance(value, Secret | SecretStr):
            value = value.get_secret_value()
            secret = True
        if value is None:
            msg = f"config {command.key}: TOML has no null; unset the key instead."
            raise InvalidCommand(msg)
        document = self._read()
        table, name = self._parent(document, command.key, create=True)
        old = _plain(table[name]) if name in table else None
        old_secret = self._is_secret(command.key, old)
        try:
            table[name] = value
            text = tomlkit.dumps(document)
        except (tomlkit.exceptions.TOMLKitError, TypeError, ValueError) as error:
            msg = (
                f"config {command.key}: a {type(value).__name__} has no place in TOML ({error});"
                " use text, numbers, truth values, dates, lists or mappings."
            )
            raise InvalidCommand(msg) from None
        if secret is not None:
            self._database.execute(
                "INSERT INTO config_secrets (key, secret) VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET secret = excluded.secret",
                (command.key, secret),
            )
        self._write(text)
        setting = self._setting(command.key, value)
        self._tell(
            ConfigChanged(
                key=command.key,
                old_value=self._masked(old, old_secret),
                new_value=self._masked(value, setting.secret),
                scope=SCOPE,
            )
        )
        return setting

    @handles(UnsetConfig)
    def unset(self, command: UnsetConfig) -> ConfigSetting:
        """Remove a setting."""
        import tomlkit

        document = self._read()
        table, name = self._parent(document, command.key)
        if table is None or name not in table:
            raise UnknownConfigKey(_unknown(command.key))
        setting = self._setting(command.key, _plain(table[name]))
        old = _plain(table.pop(name))
        self._write(tomlkit.dumps(document))
        self._tell(
            ConfigChanged(
                key=command.key,
                old_value=self._masked(old, setting.secret),
                new_value=None,
                scope=SCOPE,
            )
        )
        return setting

    @handles(DeleteConfig)
    def delete(self, command: DeleteConfig) -> int:
        """Remove the file."""
        keys = [key for key, _ in _leaves(self._read().unwrap(), "")]
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(_failed(self._path, "removed", error)) from error
        self._tell(
            EntityDeleted(
                entity_type="config_scope", entity_id=SCOPE, removed=tuple(f"{key}" for key in keys)
            )
        )
        return len(keys)

    def _read(self) -> TOMLDocument:
        import tomlkit

        try:
            return tomlkit.parse(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return tomlkit.document()
        except (OSError, UnicodeDecodeError, tomlkit.exceptions.TOMLKitError) as error:
            raise ConfigError(_failed(self._path, "read", error)) from error

    def _write(self, text: str) -> None:
        path = self._path.resolve()
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            _sync_directory(path.parent)
        except OSError as error:
            raise ConfigError(_failed(path, "written", error)) from error

    def _parent(self, document: Any, key: str, *, create: bool = False) -> tuple[Any, str]:
        *parents, name = key.split(".")
        table = document
        for depth, parent in enumerate(parents, 1):
            if parent not in table:
                if not create:
                    return None, name
                table[parent] = {}
            table = table[parent]
            if not isinstance(table, dict):
                above = ".".join(parents[:depth])
                msg = f"config {key}: {above} is a value, not a table; unset {above} first."
                raise InvalidCommand(msg)
        return table, name

    def _setting(self, key: str, value: Any) -> ConfigSetting:
        secret = self._is_secret(key, value)
        shown = value
        if secret:
            shown = SecretStr(value) if isinstance(value, str) else Secret(value)
        return ConfigSetting(key=key, value=shown, secret=secret, scope=SCOPE)

    def _is_secret(self, key: str, value: Any) -> bool:
        row = self._database.row("SELECT secret FROM config_secrets WHERE key = ?", (key,))
        return is_secret(key, value) if row is None else bool(row["secret"])

    def _masked(self, value: Any, secret: bool) -> Any:
        return self._redactor.mask(value) if secret and value is not None else value


def _plain(item: Any) -> Any:
    return item.unwrap() if hasattr(item, "unwrap") else item


def _leaves(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _unknown(key: str) -> str:
    return f"config has no key {key!r}; list() names those there are."


def _failed(path: Path, verb: str, error: Exception) -> str:
    return f"config file {path} cannot be {verb}: {error}; correct it or its permissions."


def _sync_directory(path: Path) -> None:
    """Make a rename in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Config(Service):
    """``system.config``: each call returns a future; errors are raised by its ``get``."""

    def get(self, key: str) -> Future[ConfigSetting]:
        """Look up a setting; `UnknownConfigKey` when there is none."""
        return self.ask(GetConfig(key=key))

    def list(self) -> Future[tuple[ConfigSetting, ...]]:
        """List all settings, in the file's order."""
        return self.ask(ListConfig())

    def set(self, key: str, value: Any, *, secret: bool | None = None) -> Future[ConfigSetting]:
        """Set a setting.

        Args:
            key: dotted name, such as ``model.name``.
            value: what TOML can hold; a ``SecretStr`` is taken for secret.
            secret: whether it is masked wherever it is recorded; judged by the name
                (``api_key``, ``password``, ...) when not given. Remembered for the key.
        """
        return self.ask(SetConfig(key=key, value=value, secret=secret))

    def unset(self, key: str) -> Future[ConfigSetting]:
        """Remove a setting, and say what it was; `UnknownConfigKey` when there is none."""
        return self.ask(UnsetConfig(key=key))

    def delete(self) -> Future[int]:
        """Remove the whole file, and say how many settings it had."""
        return self.ask(DeleteConfig())
