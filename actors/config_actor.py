"""ConfigActor: settings in layers, files written atomically; every change is told."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from minutebook.actors.base import handles
from minutebook.actors.config_document import ConfigDocument, find, leaves, put, remove
from minutebook.actors.config_keeper import ConfigKeeper
from minutebook.actors.config_layers import Layers
from minutebook.actors.config_model import explained
from minutebook.actors.config_secrets import Marks
from minutebook.actors.config_shown import Shown
from minutebook.actors.config_sources import WatchedFile
from minutebook.domain.commands import (
    DeleteConfig,
    ExplainConfig,
    GetConfig,
    GetTypedConfig,
    ListConfig,
    SetConfig,
    UnsetConfig,
)
from minutebook.domain.errors import (
    ConfigError,
    InvalidCommand,
    InvalidConfig,
    UncommittedEvents,
    UnknownConfigKey,
)
from minutebook.domain.event import AuditEvent
from minutebook.domain.events import EntityDeleted
from minutebook.domain.fitting import fit_texts
from minutebook.domain.setting import Judge, protected, taken
from minutebook.domain.state import ConfigExplanation, ConfigSetting, UnsetSetting


class ConfigActor(ConfigKeeper):
    """Answers what holds and why, and changes the layers that can be changed.

    A file is read anew for each command, and every few seconds besides (`Services.catch_up`),
    so edits by hand count. A secret's value stands in its file (mode 0600), in the environment
    or in memory, and nowhere else.
    """

    @handles(GetConfig)
    def get(self, command: GetConfig) -> ConfigSetting:
        """Look up what holds."""
        return self._shown(command.project).setting(command.key)

    @handles(ListConfig)
    def list(self, command: ListConfig) -> tuple[ConfigSetting, ...]:
        """List what holds, leaf by leaf."""
        shown = self._shown(command.project)
        return tuple(shown.setting(key) for key, _ in shown.layers.leaves())

    @handles(ExplainConfig)
    def explain(self, command: ExplainConfig) -> ConfigExplanation:
        """Say why a key has its value."""
        shown = self._shown(command.project)
        problems = [each.problem for each in self._sources.watched if each.problem is not None]
        return shown.explanation(command.key, problems, self._redactor)

    @handles(GetTypedConfig)
    def typed(self, command: GetTypedConfig) -> Any:
        """Return all as an instance of the host's model."""
        if self._model is None:
            msg = "config has no types: open the system with config_model=, or use get()."
            raise ConfigError(msg)
        layers = self._layers(command.project)
        instance, problems = self._model.checked(layers)
        if instance is None:
            raise InvalidConfig(explained(problems, layers))
        return instance

    @handles(SetConfig)
    def set(self, command: SetConfig) -> ConfigSetting:
        """Set a setting in one layer."""
        key = command.key
        value, secret_keys = taken(key, command.value)
        said = {} if command.secret is None else {key: command.secret}
        said |= dict.fromkeys(sorted(secret_keys), True)
        marks = self._marks.load()
        before, after = self._marks.judge(marks), self._marks.judge(marks | said)

        def either(key: str, part: Any) -> bool:
            # The old value is no less secret than the new one, nor than it was before.
            return before(key, part) or after(key, part)

        if command.layer == "override":
            return self._set_override(key, value, said, either, after)
        with self._alone():
            watched = self._watched(command.project)
            held = watched.file.load()
            old_value = protected(key, _found(held.values, key), either)
            changed = held.with_value(key, value)
            layers = self._sources.layers_of(watched, changed)
            misfit = self._begin(watched, held, changed, key)
            setting = Shown(layers, None, after).of_layer(watched.layer, key)
            self._make(
                watched, changed, self._changed(watched, key, old_value, setting.value, "set"), said
            )
            watched.use(changed, misfit)
        return setting

    @handles(UnsetConfig)
    def unset(self, command: UnsetConfig) -> UnsetSetting:
        """Remove a setting from one layer."""
        key, judge = command.key, self._marks.judge()
        if command.layer == "override":
            setting = Shown(self._layers(), None, judge).of_layer("override", key)
            values = copy.deepcopy(self._options.overrides)
            remove(values, key)
            self._override(values, self._changed(None, key, setting.value, None, "unset"))
        else:
            with self._alone():
                watched = self._watched(command.project)
                held = watched.file.load()
                layers = self._sources.layers_of(watched, held)
                setting = Shown(layers, None, judge).of_layer(watched.layer, key)
                changed = held.without(key)
                misfit = self._begin(watched, held, changed, key)
                event = self._changed(watched, key, setting.value, None, "unset")
                self._make(watched, changed, event, {})
                watched.use(changed, misfit)
        return UnsetSetting(**dict(setting), effective=self._effective(key, command.project))

    @handles(DeleteConfig)
    def delete(self, command: DeleteConfig) -> int:
        """Remove all of one layer."""
        if command.layer == "override":
            keys = [key for key, _ in leaves(self._options.overrides)]
            self._override({}, _deleted("override", keys))
            return len(keys)
        with self._alone():
            watched = self._watched(command.project)
            held = watched.file.load()
            keys = [key for key, _ in leaves(held.values)]
            self._record_edits(watched, held)
            is_main = watched is self._sources.main
            self._remove(watched, _deleted("file" if is_main else watched.name, keys))
            watched.use(ConfigDocument.parsed(watched.file.name, ""))
        return len(keys)

    def _shown(self, project: str | None) -> Shown:
        return Shown(self._layers(project), self._model, self._marks.judge())

    def _layers(self, project: str | None = None) -> Layers:
        main = self._used(self._sources.main)
        if project is None:
            return self._sources.layers(main)
        return self._sources.layers(main, self._used(self._sources.project(project)))

    def _watched(self, project: str | None) -> WatchedFile:
        return self._sources.main if project is None else self._sources.project(project)

    def _effective(self, key: str, project: str | None) -> ConfigSetting | None:
        try:
            return self._shown(project).setting(key)
        except (ConfigError, UnknownConfigKey, InvalidCommand):
            return None

    def _begin(
        self, watched: WatchedFile, held: ConfigDocument, changed: ConfigDocument, key: str
    ) -> str | None:
        """Refuse a change that does not fit, and record what others did before it.

        Returns what stays wrong with the file: what was so when it was first read.
        """
        before, after = (self._sources.layers_of(watched, each) for each in (held, changed))
        self._sources.check(before, after, watched.layer, key)
        worse = self._sources.worse(watched, changed)
        if worse is not None:
            msg = f"{worse} Until then nothing else is changed in that file."
            raise InvalidConfig(msg)
        self._record_edits(watched, held)
        return self._sources.misfit(watched, changed)

    def _set_override(
        self, key: str, value: Any, said: Marks, either: Judge, after: Judge
    ) -> ConfigSetting:
        old = protected(key, _found(self._options.overrides, key), either)
        values = copy.deepcopy(self._options.overrides)
        put(values, key, value)
        main = self._used(self._sources.main)
        layers = self._sources.layers(main, overrides=values)
        self._sources.check(self._sources.layers(main), layers, "override", key)
        setting = Shown(layers, None, after).of_layer("override", key)
        self._override(values, self._changed(None, key, old, setting.value, "set"), said)
        return setting

    def _override(
        self, values: dict[str, Any], event: AuditEvent, said: Marks | None = None
    ) -> None:
        try:
            with self._recorded() as recording:
                recording.tell(event)
                for key, secret in (said or {}).items():
                    self._marks.save(key, secret)
        except UncommittedEvents:
            # It is recorded all the same, and told later.
            self._options.overrides = values
            raise
        self._options.overrides = values


def _found(values: dict[str, Any], key: str) -> Any:
    try:
        return find(values, key)
    except UnknownConfigKey:
        return None


def _deleted(entity_id: str, keys: Sequence[str]) -> EntityDeleted:
    named, omitted = fit_texts(keys)
    removed = (*named, f"{omitted} more keys") if omitted else named
    return EntityDeleted(entity_type="config_scope", entity_id=entity_id, removed=removed)
