"""The stories, run once for all tests that look at what they left.

To tell another one, add a file ``story_<name>.py`` here, with ``story(system, project)``: what
a host does. Its trail is in ``trails``, and its events count for the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.scenarios import stories
from tests.scenarios.stories import Trail


@pytest.fixture(scope="session", autouse=True)
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home without git settings, as on a new machine."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for name in ("XDG_CONFIG_HOME", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "EMAIL"):
            patch.delenv(name, raising=False)
        yield home


@pytest.fixture(scope="session")
def main_job(tmp_path_factory: pytest.TempPathFactory, empty_home: Path) -> Trail:
    """What the main job left."""
    return stories.told(tmp_path_factory.mktemp("main-job"), stories.main_job)


@pytest.fixture(scope="session")
def second_thoughts(tmp_path_factory: pytest.TempPathFactory, empty_home: Path) -> Trail:
    """What a plan left that was corrected and approved, and one that was denied."""
    return stories.told(tmp_path_factory.mktemp("second-thoughts"), stories.second_thoughts)


@pytest.fixture(scope="session")
def troubles(tmp_path_factory: pytest.TempPathFactory, empty_home: Path) -> Trail:
    """What everything that goes wrong left."""
    return stories.told(tmp_path_factory.mktemp("troubles"), stories.troubles, after_a_death=True)


@pytest.fixture(scope="session")
def trails(
    main_job: Trail,
    second_thoughts: Trail,
    troubles: Trail,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Trail]:
    """What each story left, by its name."""
    found = {"main_job": main_job, "second_thoughts": second_thoughts, "troubles": troubles}
    for path in sorted(Path(__file__).parent.glob("story_*.py")):
        name = path.stem.removeprefix("story_")
        module = import_module(f"tests.scenarios.{path.stem}")
        found[name] = stories.told(tmp_path_factory.mktemp(name), module.story)
    return found
