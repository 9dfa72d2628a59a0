"""ConfigActor: settings in one TOML file, written atomically; every change is told."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pykka import Future

from minutebook.actors.base import Service, StatefulActor, handles
from minutebook.actors.config_file import ConfigFile, find, leaves, staged_beside
from minutebook.actors.file_lock import FileLock
from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Intent
from minutebook.domain.commands import (
    DeleteConfig,
    GetConfig,
    ListConfig,
    SetConfig,
    UnsetConfig,
)
from minutebook.domain.errors import InvalidEvent, UnknownConfigKey
from minutebook.domain.events import ConfigChanged, EntityDeleted
from minutebook.domain.fitting import fit_texts
from minutebook.domain.redaction import Redactor, is_secret
from minutebook.domain.setting import protected, recordable, taken
from minutebook.domain.state import ConfigSetting

SCOPE: Final = "file"
"""The one layer that there is."""

_CHANGE: Final = "change"
_DELETE: Final = "delete"
"""What is done to the file, for an intent."""

_Marks = dict[str, bool]
"""Which keys somebody said to be secret, or not to be."""


class ConfigActor(StatefulActor):
    """Reads and writes the file, and tells each change with secrets masked.

    The file is read anew for each command, so edits by hand count; comments and order are
    kept. A secret's value stands in the file (mode 0600), and nowhere else. A lock keeps
    other processes of the host from changing the file at the same time. An intent says which
    change is being made, until it is; the event is in it.

    Args:
        service, outbox: as for every `StatefulActor`.
        path: the TOML file; made with the first setting.
        redactor: masks secrets.
    """

    name = "config"

    def __init__(self, service: str, outbox: Outbox, path: Path, redactor: Redactor) -> None:
        super().__init__(service, outbox)
        self._file = ConfigFile(path)
        self._redactor = redactor
        app_path = self._database.path
        self._lock = FileLock(app_path.with_name(app_path.name + ".lock"))

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
        said = {} if command.secret is None else {key: command.secret}
        said |= dict.fromkeys(sorted(secret_keys), True)
        with self._alone():
            try:
                old = find(self._file.load(), key)
            except UnknownConfigKey:
                old = None
            before = self._marks()
            after = before | said
            # The old value is no less secret than the new one, nor than it was before.
            old_value = protected(
                key, old, lambda key, part: _judge(key, part, before) or _judge(key, part, after)
            )
            setting = _setting(key, value, after)
            self._file.stage_set(key, value)
            self._make(self._changed(key, old_value, setting.value), said)
        return setting

    @handles(UnsetConfig)
    def unset(self, command: UnsetConfig) -> ConfigSetting:
        """Remove a setting."""
        with self._alone():
            old = find(self._file.load(), command.key)
            setting = _setting(command.key, old, self._marks())
            self._file.stage_unset(command.key)
            self._make(self._changed(command.key, setting.value, None), {})
        return setting

    @handles(DeleteConfig)
    def delete(self, command: DeleteConfig) -> int:
        """Remove the file."""
        with self._alone():
            keys = [key for key, _ in leaves(self._file.load())]
            named, omitted = fit_texts(keys)
            removed = (*named, f"{omitted} more keys") if omitted else named
            deleted = EntityDeleted(entity_type="config_scope", entity_id=SCOPE, removed=removed)
            with self._recorded() as recording:
                intent = recording.intend(_DELETE, deleted, place=str(self._file.name))
            try:
                self._file.delete()
            finally:
                self._resume(intent)
        return len(keys)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all others from changing the file, when what they began is ended."""
        with self._lock:
            # Under the lock nobody is about to end one, whoever's it is.
            for intent in self._outbox.orphans(lambda _: True):
                self._resume(intent)
            yield

    def _resume_orphans(self) -> None:
        if self._outbox.has_intents():
            with self._alone():
                pass

    def _make(self, event: ConfigChanged, said: _Marks) -> None:
        """Make the staged change.

        What becomes secret is marked before, what is none any more after the change: in
        between, nothing is shown that is secret in either state.
        """
        hidden = [key for key, secret in said.items() if secret]
        shown = [key for key, secret in said.items() if not secret]
        marks = self._marks()
        try:
            with self._recorded() as recording:
                intent = recording.intend(
                    _CHANGE,
                    event,
                    place=str(self._file.place),
                    shown=shown,
                    marks={key: marks.get(key) for key in hidden},
                )
                for key in hidden:
                    self._mark(key, True)
        except InvalidEvent:
            # Not after an error of the database, which may have taken the intent all the same.
            self._file.discard()
            raise
        try:
            self._file.make()
        finally:
            self._resume(intent)

    def _resume(self, intent: Intent) -> None:
        """Tell a change if it was made, and undo what was prepared for it if not."""
        place = Path(intent.detail["place"])
        staged = staged_beside(place)
        made = not os.path.lexists(staged if intent.kind == _CHANGE else place)
        with self._recorded() as recording:
            if made:
                for key in intent.detail.get("shown", ()):
                    self._mark(key, False)
                recording.fulfil(intent)
            else:
                for key, secret in intent.detail.get("marks", {}).items():
                    self._mark(key, secret)
                recording.drop(intent)
        if intent.kind == _CHANGE:
            # Not before: without it, the change would count as made.
            with contextlib.suppress(OSError):
                staged.unlink(missing_ok=True)

    def _changed(self, key: str, old: Any, new: Any) -> ConfigChanged:
        return ConfigChanged(
            key=key,
            old_value=recordable(old, self._redactor),
            new_value=recordable(new, self._redactor),
            scope=SCOPE,
        )

    def _mark(self, key: str, secret: bool | None) -> None:
        if secret is None:
            self._database.execute("DELETE FROM config_secrets WHERE key = ?", (key,))
            return
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
