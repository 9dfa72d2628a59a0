"""What an apply found and did, in a form that can be stored until it has been told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from minutebook.actors.moving.states import sync_directory
from minutebook.domain.changeset import Changeset
from minutebook.domain.events import AppliedProject, Conflict, ValidationOutcome
from minutebook.domain.state import Applied, PlanProject
from minutebook.domain.state.base import State

_NAME: Final = "report.json"


class ProjectReport(State):
    """One project's part."""

    project: PlanProject
    """Which one."""
    sandbox_path: str
    """Where the plan's work was done."""
    changeset: Changeset
    """What differs, by git's own numbers."""
    store: str | None
    """Folder with what is to be moved; ``None`` when nothing is."""


class ApplyReport(State):
    """One plan's apply."""

    plan_id: str
    """Whose."""
    project_names: tuple[str, ...]
    """All of its projects."""
    tool_name: str
    """What did the plan's work."""
    commit_before: str = ""
    """The first project's commit before, as far as it is known."""
    projects: tuple[ProjectReport, ...] = ()
    """Those that were merged, in the plan's order."""
    validations: tuple[ValidationOutcome, ...] = ()
    """The commands that ran."""
    conflicts: tuple[Conflict, ...] = ()
    """What could not be merged."""
    seconds: float = 0.0
    """How long it took, as far as it is known."""
    recovered: bool = False
    """Whether another process ended it."""

    def applied_projects(self, *, moved: bool) -> tuple[AppliedProject, ...]:
        """Return each project's part as it is told.

        Args:
            moved: whether the projects have their changes.
        """
        return tuple(
            AppliedProject(
                name=report.project.name,
                kind=report.project.kind,
                commit_before=report.changeset.commit_before,
                commit_after=report.changeset.commit_after if moved else None,
                files_changed=report.changeset.files_changed if moved else 0,
                lines_added=report.changeset.lines_added if moved else 0,
                lines_removed=report.changeset.lines_removed if moved else 0,
            )
            for report in self.projects
        )

    def applied(self) -> Applied:
        """Return the answer to who asked for the apply."""
        projects = self.applied_projects(moved=True)
        first = self.projects[0].changeset
        return Applied(
            plan_id=self.plan_id,
            commit_before=first.commit_before,
            commit_after=first.commit_after,
            projects=projects,
            files_changed=sum(project.files_changed for project in projects),
            lines_added=sum(project.lines_added for project in projects),
            lines_removed=sum(project.lines_removed for project in projects),
            validations=self.validations,
            seconds=self.seconds,
        )

    def resources(self) -> tuple[str, ...]:
        """Return the files' paths; with the project's name before, when there are several."""
        several = len(self.project_names) > 1
        return tuple(
            f"{report.project.name}/{file.path}" if several else file.path
            for report in self.projects
            for file in report.changeset.files
        )


def write_report(directory: Path, report: ApplyReport) -> None:
    """Store a report, onto the disk; raises `OSError`."""
    # ASCII: lone surrogates are kept as escapes, which pydantic's own JSON refuses.
    text = json.dumps(report.model_dump())
    temporary = directory / f"{_NAME}.new"
    with temporary.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory / _NAME)
    sync_directory(str(directory))


def read_report(directory: Path) -> ApplyReport:
    """Read a stored report; raises `OSError` or `ValueError`."""
    return ApplyReport.model_validate(json.loads((directory / _NAME).read_text("ascii")))
