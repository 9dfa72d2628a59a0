"""Which projects a plan is to change: looked at when it is made."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.apply_record import MOVING, UNDOING
from minutebook.actors.git.repository import ensure_clean, inspect_project, is_plain_directory
from minutebook.domain.errors import ProjectDirty, ProjectsOverlap
from minutebook.domain.state import PlanProject

MOVE_S: Final = 10.0
"""How long the files of another plan's apply are waited for that are on their way."""

LOOK_S: Final = 0.05
"""How often is looked whether they have come."""


def look_at(paths: Iterable[str], database: AppDatabase) -> tuple[PlanProject, ...]:
    """Return what is at the paths, each the top of a clean work tree or a plain directory.

    Args:
        paths: of projects.
        database: knows of applies that go on.

    Raises:
        ProjectMissing, NotARepository, ProjectDirty: one of them is neither.
        ProjectsOverlap: two of them are the same, or one lies in another.
    """
    projects: list[PlanProject] = []
    for given in paths:
        project = _look_at(given, {project.name for project in projects}, database)
        for other in projects:
            _refuse_overlap(Path(project.path), Path(other.path))
        projects.append(project)
    return tuple(projects)


def ensure_ready(project: PlanProject, database: AppDatabase) -> None:
    """Refuse a project that cannot be worked on: gone, no repository any more, or dirty.

    Raises:
        ProjectMissing, NotARepository, ProjectDirty: it is.
    """
    if project.kind == "git" or not is_plain_directory(project.path):
        _ensure_clean(inspect_project(project.path).path, database)


def _look_at(given: str, taken: set[str], database: AppDatabase) -> PlanProject:
    if is_plain_directory(given):
        path = Path(os.path.realpath(given))
        return PlanProject(name=_free_name(path, taken), path=str(path), kind="directory")
    found = inspect_project(given)
    _ensure_clean(found.path, database)
    return PlanProject(name=_free_name(found.path, taken), path=str(found.path), kind="git")


def _ensure_clean(path: Path, database: AppDatabase) -> None:
    # While an apply moves its files, the project has changes, which are none of its user's.
    deadline = time.monotonic() + MOVE_S
    was_moved = True
    while True:
        try:
            return ensure_clean(path)
        except ProjectDirty:
            # Once more after the end: it may have come between the look and the question.
            is_moved = _is_moved(str(path), database)
            if not (is_moved or was_moved) or time.monotonic() > deadline:
                raise
            was_moved = is_moved
            time.sleep(LOOK_S)


def _is_moved(path: str, database: AppDatabase) -> bool:
    rows = database.rows("SELECT detail FROM intents WHERE kind IN (?, ?)", (MOVING, UNDOING))
    return any(path in json.loads(row["detail"])["paths"] for row in rows)


def _free_name(path: Path, taken: set[str]) -> str:
    # The root directory has none.
    name = plain = path.name or "root"
    number = 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    return name


def _refuse_overlap(one: Path, other: Path) -> None:
    if one.is_relative_to(other) or other.is_relative_to(one):
        how = "twice" if one == other else f"and {str(other)!r}, one of which lies in the other"
        msg = f"{str(one)!r} was given {how}; give each project once, and none inside another."
        raise ProjectsOverlap(msg)
