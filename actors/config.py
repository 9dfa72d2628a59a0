"""ConfigActor: settings in one TOML file, written atomically; every change is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pykka import Future

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.base import Service, StatefulActor, Tell, handles
from minutebook.actors.config_file import ConfigFile, find, leaves
from minutebook.domain.commands import (
    DeleteConfig,
    GetConfig,
    ListConfig,
    SetConfig,
    UnsetConfig,
)
from minutebook.domain.errors import UnknownConfigKey
from minutebook.domain.events import ConfigChanged, EntityDeleted
from minutebook.domain.fitting import fit_texts
from minutebook.domain.redaction import Redactor, is_secret
from minutebook.domain.setting import protected, recordable, taken
from minutebook.domain.state import ConfigSetting

SCOPE: Final = "file"
"""The one layer that there is."""

_Marks = dict[str, bool]
"""Which keys somebody said to be secret, or not to be."""


class ConfigActor(StatefulActor):
    """Reads and writes the file, and tells each change with secrets masked.

    The file is read anew for each command, so edits by hand count; comments and order are
    kept. A secret's value stands in the file (mode 0600), and nowhere else. Each change is
    made inside a transaction of the app database, which keeps other processes of the host
    from changing the file at the same time.

    Args:
        service, tell, database: as for every `StatefulActor`.
        path: the TOML file; made with the first setting.
        redactor: masks secrets.
    """

    name = "config"

    def __init__(
        self, service: str, tell: Tell, database: AppDatabase, path: Path, redactor: Redactor
    ) -> None:
        super().__init__(service, tell, database)
        self._file = ConfigFile(path)
        self._redactor = redactor

    @handles(GetConfig)
    def get(self, command: GetConfig) -> ConfigSetting:
        """Look up one setting."""
        value = find(self._file.load(), command.key)
        return _setting(command.key, value, self._marks())

    @handles(ListConfig)
    def list(self, command: ListConfig) -> tuple[ConfigSetting, ...]:
        """List the settings, leaf by leaf."""
        marks = self._marks()
        return tuple(_setting(key, value, marks) for key, value in leaves(self._file.load()))

    @handles(SetConfig)
    def set(self, command: SetConfig) -> ConfigSetting:
        """Set a setting."""
        key = command.key
        value, secret_keys = taken(key, command.value)
        with self._database.transaction():
            try:
                old = find(self._file.load(), key)
            except UnknownConfigKey:
                old = None
            before = self._marks()
            if command.secret is not None:
                self._mark(key, command.secret)
            for secret_key in sorted(secret_keys):
                self._mark(secret_key, True)
            after = self._marks()
            self._file.set(key, value)
        # The old value is no less secret than the new one, nor than it was before.
        old_value = protected(
            key, old, lambda key, part: _judge(key, part, before) or _judge(key, part, after)
        )
        setting = _setting(key, value, after)
        self._tell_change(key, old_value, setting.value)
        return setting

    @handles(UnsetConfig)
    def unset(self, command: UnsetConfig) -> ConfigSetting:
        """Remove a setting."""
        with self._database.transaction():
            old = find(self._file.load(), command.key)
            self._file.unset(command.key)
        setting = _setting(command.key, old, self._marks())
        self._tell_change(command.key, setting.value, None)
        return setting

    @handles(DeleteConfig)
    def delete(self, command: DeleteConfig) -> int:
        """Remove the file."""
        with self._database.transaction():
            keys = [key for key, _ in leaves(self._file.load())]
            self._file.delete()
        named, omitted = fit_texts(keys)
        removed = (*named, f"{omitted} more keys") if omitted else named
        self._tell(EntityDeleted(entity_type="config_scope", entity_id=SCOPE, removed=removed))
        return len(keys)

    def _tell_change(self, key: str, old: Any, new: Any) -> None:
        self._tell(
            ConfigChanged(
                key=key,
                old_value=recordable(old, self._redactor),
                new_value=recordable(new, self._redactor),
                scope=SCOPE,
            )
        )

    def _mark(self, key: str, secret: bool) -> None:
        self._database.execute(
            "INSERT INTO config_secrets (key, secret) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET secret = excluded.secret",
            (key, secret),
        )

    def _marks(self) -> _Marks:
        rows = self._database.rows("SELECT key, secret FROM config_secrets")
        return {row["key"]: bool(row["secret"]) for row in rows}


def _setting(key: str, value: Any, marks: _Marks) -> ConfigSetting:
    secret = _judge(key, value, marks)
    shown = protected(key, value, lambda key, part: _judge(key, part, marks))
    return ConfigSetting(key=key, value=shown, secret=secret, scope=SCOPE)


def _judge(key: str, value: Any, marks: _Marks) -> bool:
    """Tell whether a value is secret: as somebody said of its key, else by its name.

    What lies below a key that was said to be secret is secret too.
    """
    if key in marks:
        return marks[key]
    above = key
    while "." in above:
        above = above.rpartition(".")[0]
        if marks.get(above):
            return True
    return is_secret(key, value)


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
