"""What the layers of a configuration are made of, and whether a file's content may be used."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from minutebook.actors.config_document import ConfigDocument
from minutebook.actors.config_environment import read_environment
from minutebook.actors.config_file import ConfigFile
from minutebook.actors.config_layers import Layer, Layers
from minutebook.actors.config_model import ConfigModel, explained, related
from minutebook.actors.config_options import ConfigOptions
from minutebook.domain.errors import ConfigError, InvalidConfig
from minutebook.domain.state.config import ConfigLayer

logger = logging.getLogger("minutebook.config")

PROJECT_FILE: Final = ".minutebook.toml"
"""Settings of a project, in its directory."""

_PROJECTS_WATCHED_MAX: Final = 100


@dataclass
class WatchedFile:
    """A file of settings, and what was made of it."""

    layer: Literal["file", "project"]
    """Which layer it is."""
    file: ConfigFile
    """Reads and writes it."""
    good: ConfigDocument | None = None
    """What is used: what it held when it could be used last."""
    text: str | None = None
    """What it held then; whatever else it holds is to be looked at."""
    misfit: str | None = None
    """What is wrong with what is used, where it has never been better."""
    problem: str | None = None
    """What was said to be wrong with it last."""

    @property
    def name(self) -> str:
        """Its path, by which it is known to all processes."""
        return str(self.file.name)

    def use(self, document: ConfigDocument, misfit: str | None = None) -> None:
        """Use this from here on."""
        self.good, self.text, self.misfit = document, document.text, misfit


class ConfigSources:
    """The files, the environment, the overrides and the host's model.

    Args:
        path: the host's file.
        options: the rest.
    """

    def __init__(self, path: Path, options: ConfigOptions) -> None:
        self.main = WatchedFile("file", ConfigFile(path))
        """The host's file."""
        self.model = None if options.model is None else ConfigModel(options.model)
        """What values are checked against."""
        self.options = options
        """What the host chose."""
        own_prefix = "" if options.model is None else options.model.model_config.get("env_prefix")
        self._env_prefix = options.env_prefix or str(own_prefix or "")
        self._projects: dict[Path, WatchedFile] = {}
        self._ignored: set[str] = set()

    def project(self, project: str) -> WatchedFile:
        """Return the file of a project: a directory with one in it, or the file itself.

        Raises:
            ConfigError: there is no such directory.
        """
        path = Path(project).absolute()
        if path.is_dir():
            path /= PROJECT_FILE
        elif not path.parent.is_dir() or path.suffix != ".toml":
            msg = (
                f"config: {path} is neither the directory of a project nor a .toml file; give one"
                f" of them: in a directory, the file is {PROJECT_FILE}."
            )
            raise ConfigError(msg)
        watched = self._projects.pop(path, None) or WatchedFile("project", ConfigFile(path))
        # The last that were asked for stay, and are looked at also when nobody asks.
        self._projects[path] = watched
        if len(self._projects) > _PROJECTS_WATCHED_MAX:
            del self._projects[next(iter(self._projects))]
        return watched

    @property
    def watched(self) -> list[WatchedFile]:
        """All files that were asked for."""
        return [self.main, *self._projects.values()]

    def layers(
        self,
        main: ConfigDocument,
        project: ConfigDocument | None = None,
        overrides: dict[str, Any] | None = None,
    ) -> Layers:
        """Return the layers with some contents of the files.

        Args:
            main: of the host's file.
            project: of a project's.
            overrides: others than there are.
        """
        layers = [] if self.model is None else [Layer("defaults", self.model.defaults)]
        layers.append(Layer("file", main.values, main))
        if project is not None:
            layers.append(Layer("project", project.values, project))
        if self._env_prefix:
            environment = read_environment(self._env_prefix, self.model)
            self._say_ignored(environment.ignored)
            layers.append(environment.layer)
        values = self.options.overrides if overrides is None else overrides
        layers.append(Layer("override", values))
        return Layers(layers)

    def layers_of(self, watched: WatchedFile, document: ConfigDocument) -> Layers:
        """Return the layers with some content of one of the files."""
        if watched is self.main:
            return self.layers(document)
        main = self.main.good or ConfigDocument.parsed(self.main.file.name, "")
        return self.layers(main, document)

    def misfit(self, watched: WatchedFile, document: ConfigDocument) -> str | None:
        """Say what is wrong with a file's content by itself.

        What the model requires and nobody gives is not: another layer may give it later.
        """
        if self.model is None:
            return None
        layers = self.layers_of(watched, document)
        problems = sorted(self.model.problems_in(layers, watched.layer))
        return explained(problems, layers.up_to(watched.layer)) if problems else None

    def worse(self, watched: WatchedFile, document: ConfigDocument) -> str | None:
        """Say what is wrong with a file's content that is not with what is used of it."""
        if self.model is None or watched.good is None:
            return None
        layers, used = (self.layers_of(watched, each) for each in (document, watched.good))
        problems = self.model.problems_in(layers, watched.layer)
        problems -= self.model.problems_in(used, watched.layer)
        problems |= self.model.problems_together(layers) - self.model.problems_together(used)
        return explained(sorted(problems), layers.up_to(watched.layer)) if problems else None

    def check(self, before: Layers, after: Layers, layer: ConfigLayer, key: str) -> None:
        """Refuse a change of one key after which something is wrong that was not before.

        Raises:
            InvalidConfig: it says what.
        """
        if self.model is None:
            return
        old = {
            problem
            for problem in self.model.problems_in(before, layer)
            if not related(problem.key, key)
        }
        new = self.model.problems_in(after, layer) - old
        new |= self.model.problems_together(after) - self.model.problems_together(before)
        if new:
            msg = f"{explained(sorted(new), after, changing=(key, layer))} Nothing was changed."
            raise InvalidConfig(msg)

    def note(self, watched: WatchedFile, problem: str | None) -> None:
        """Say, once, what is wrong with a file, or that nothing is any more."""
        if problem is not None and watched.good is not None and problem != watched.misfit:
            problem = f"{problem} Until then its last good values are used."
        if problem == watched.problem:
            return
        watched.problem = problem
        if problem is None:
            logger.warning("config file %s can be used again", watched.name)
        else:
            logger.error("%s", problem)
        problems = [each.problem for each in self.watched if each.problem is not None]
        self.options.note_problem(" ".join(problems) or None)

    def _say_ignored(self, names: list[str]) -> None:
        for name in names:
            if name not in self._ignored:
                self._ignored.add(name)
                logger.warning("variable %s sets nothing in the configuration; is ignored", name)
