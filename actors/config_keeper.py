"""Keeping the files of settings and the trail in agreement, whoever changes the files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from minutebook.actors.base import StatefulActor
from minutebook.actors.config_document import ConfigDocument
from minutebook.actors.config_file import staged_beside
from minutebook.actors.config_options import ConfigOptions
from minutebook.actors.config_secrets import Marks, SecretMarks
from minutebook.actors.config_seen import SeenFiles
from minutebook.actors.config_sources import ConfigSources, WatchedFile
from minutebook.actors.file_lock import FileLock
from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Intent
from minutebook.domain.context import Binding
from minutebook.domain.errors import ConfigError, InvalidConfig, InvalidEvent, MinutebookError
from minutebook.domain.events import ConfigChanged, EntityDeleted
from minutebook.domain.redaction import Redactor
from minutebook.domain.setting import recordable

_CHANGE: Final = "change"
_DELETE: Final = "delete"
"""What is done to a file, for an intent."""


class ConfigKeeper(StatefulActor):
    """The part of the ConfigActor that makes changes, and finds those of others.

    What was recorded of a file last is in the app database: what differs from it was edited
    outside, and is told once, by whichever process sees it first. A lock keeps other processes
    of the host from changing a file, or recording an edit, at the same time. An intent says
    which change is being made, until it is; the event is in it.

    Args:
        service, outbox: as for every `StatefulActor`.
        path: the host's TOML file; made with the first setting.
        redactor: masks secrets.
        options: what else the host chose.
    """

    name = "config"

    def __init__(
        self,
        service: str,
        outbox: Outbox,
        path: Path,
        redactor: Redactor,
        options: ConfigOptions | None = None,
    ) -> None:
        super().__init__(service, outbox)
        self._options = options or ConfigOptions()
        self._sources = ConfigSources(path, self._options)
        self._model = self._sources.model
        self._redactor = redactor
        self._marks = SecretMarks(self._database, self._model)
        self._seen = SeenFiles(self._database, redactor)
        app_path = self._database.path
        self._lock = FileLock(app_path.with_name(app_path.name + ".lock"))

    # -- what others change ----------------------------------------------------

    def _resume_orphans(self) -> None:
        if self._outbox.has_intents():
            with self._alone():
                pass
        for watched in self._sources.watched:
            # It is noted: who asks for a setting is told.
            with contextlib.suppress(ConfigError):
                self._used(watched)

    def _used(self, watched: WatchedFile) -> ConfigDocument:
        """Return what is used of a file: what it holds now, or held when that was good.

        Raises:
            ConfigError: it cannot be read, or is no TOML, and never was good.
        """
        try:
            if watched.good is not None and watched.file.read() == watched.text:
                self._sources.note(watched, watched.misfit)
                return watched.good
            with self._alone():
                return self._look(watched)
        except MinutebookError as error:
            # What cannot be recorded does not hold yet, either.
            is_its = isinstance(error, ConfigError)
            problem = str(error) if is_its else f"config file {watched.name}: {error}"
            self._sources.note(watched, problem)
            if watched.good is None:
                raise
            return watched.good

    def _look(self, watched: WatchedFile) -> ConfigDocument:
        """Record what others did to a file, and use it; called alone."""
        document = watched.file.load()
        worse = self._sources.worse(watched, document)
        if worse is not None:
            raise InvalidConfig(worse)
        self._record_edits(watched, document)
        watched.use(document, self._sources.misfit(watched, document))
        self._sources.note(watched, watched.misfit)
        return document

    def _record_edits(self, watched: WatchedFile, document: ConfigDocument) -> None:
        judge = self._marks.judge()
        before, now = self._seen.load(watched.name), self._seen.state(document, judge)
        if before is None:
            # What was there before it was ever looked at is nobody's edit to tell.
            with self._database.transaction():
                self._seen.save(watched.name, now)
            return
        edits = list(self._seen.edits(before, now, judge))
        if not edits:
            return
        # Whoever happens to look is not who edited.
        with Binding().restored(source=self.source), self._recorded() as recording:
            for edit in edits:
                event = self._changed(watched, edit.key, edit.old, edit.new, "edited_outside")
                recording.tell(event)
            self._seen.save(watched.name, now)

    # -- what we change --------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all others from changing the files, when what they began is ended."""
        with self._lock:
            # Under the lock nobody is about to end one, whoever's it is.
            for intent in self._outbox.orphans(lambda _: True):
                self._resume(intent)
            yield

    def _make(
        self, watched: WatchedFile, changed: ConfigDocument, event: ConfigChanged, said: Marks
    ) -> None:
        """Change a file; called alone.

        What becomes secret is marked before, what is none any more after the change: in
        between, nothing is shown that is secret in either state.
        """
        hidden = [key for key, secret in said.items() if secret]
        shown = [key for key, secret in said.items() if not secret]
        marks = self._marks.load()
        watched.file.stage(changed)
        try:
            with self._recorded() as recording:
                intent = recording.intend(
                    _CHANGE,
                    event,
                    place=str(watched.file.place),
                    name=watched.name,
                    # What an outside edit will be told from, should we die in between.
                    seen=self._seen.state(changed, self._marks.judge(marks | said)),
                    shown=shown,
                    marks={key: marks.get(key) for key in hidden},
                )
                for key in hidden:
                    self._marks.save(key, True)
        except InvalidEvent:
            # Not after an error of the database, which may have taken the intent all the same.
            watched.file.discard()
            raise
        try:
            watched.file.make()
        finally:
            self._resume(intent)

    def _remove(self, watched: WatchedFile, event: EntityDeleted) -> None:
        """Remove a file; called alone."""
        with self._recorded() as recording:
            intent = recording.intend(
                _DELETE, event, place=watched.name, name=watched.name, seen={}
            )
        try:
            watched.file.delete()
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
                    self._marks.save(key, False)
                # An intent of an earlier version has none: then the next look begins anew.
                if "seen" in intent.detail:
                    self._seen.save(intent.detail["name"], intent.detail["seen"])
                recording.fulfil(intent)
            else:
                for key, secret in intent.detail.get("marks", {}).items():
                    self._marks.save(key, secret)
                recording.drop(intent)
        if intent.kind == _CHANGE:
            # Not before: without it, the change would count as made.
            with contextlib.suppress(OSError):
                staged.unlink(missing_ok=True)

    def _changed(
        self,
        watched: WatchedFile | None,
        key: str,
        old: Any,
        new: Any,
        cause: Literal["set", "unset", "edited_outside"],
    ) -> ConfigChanged:
        return ConfigChanged(
            key=key,
            old_value=recordable(old, self._redactor),
            new_value=recordable(new, self._redactor),
            scope="override" if watched is None else watched.layer,
            cause=cause,
            file=None if watched is None else watched.name,
        )
