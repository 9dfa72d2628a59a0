"""Fixtures of the service actors' tests: a stage for them, and a project to change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minutebook.actors.config import Config
from tests.actors.project import Project
from tests.actors.stage import Stage, Workshop


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home without git settings, as on a new machine."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("XDG_CONFIG_HOME", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def stage(tmp_path: Path, bare_machine: Path) -> Iterator[Stage]:
    """A stage without actors; all that a test starts on it is stopped."""
    directory = tmp_path / "stage"
    directory.mkdir()
    made = Stage(directory)
    yield made
    made.close()


@pytest.fixture
def workshop(stage: Stage) -> Workshop:
    """The actors that a plan goes through, on the stage."""
    return stage.workshop()


@pytest.fixture
def project(tmp_path: Path, bare_machine: Path) -> Project:
    """A clean repository with one commit."""
    return Project(tmp_path / "project")


@pytest.fixture
def config(stage: Stage) -> Config:
    """A ConfigActor's service."""
    return stage.config()
