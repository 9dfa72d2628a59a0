"""Which projects a plan is to change: looked at when it is made."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from minutebook.actors.git.repository import ensure_clean, inspect_project, is_plain_directory
from minutebook.domain.errors import ProjectsOverlap
from minutebook.domain.state import PlanProject


def look_at(paths: Iterable[str]) -> tuple[PlanProject, ...]:
    """Return what is at the paths, each the top of a clean work tree or a plain directory.

    Raises:
        ProjectMissing, NotARepository, ProjectDirty: one of them is neither.
        ProjectsOverlap: two of them are the same, or one lies in another.
    """
    projects: list[PlanProject] = []
    for given in paths:
        project = _look_at(given, {project.name for project in projects})
        for other in projects:
            _refuse_overlap(Path(project.path), Path(other.path))
        projects.append(project)
    return tuple(projects)


def ensure_ready(project: PlanProject) -> None:
    """Refuse a project that cannot be worked on: gone, no repository any more, or dirty.

    Raises:
        ProjectMissing, NotARepository, ProjectDirty: it is.
    """
    if project.kind == "git" or not is_plain_directory(project.path):
        ensure_clean(inspect_project(project.path).path)


def _look_at(given: str, taken: set[str]) -> PlanProject:
    if is_plain_directory(given):
        path = Path(os.path.realpath(given))
        return PlanProject(name=_free_name(path, taken), path=str(path), kind="directory")
    found = inspect_project(given)
    ensure_clean(found.path)
    return PlanProject(name=_free_name(found.path, taken), path=str(found.path), kind="git")


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
