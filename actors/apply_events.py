"""The events of an apply, made from its report."""

from __future__ import annotations

from collections.abc import Iterator

from minutebook.actors.apply_report import ApplyReport, ProjectReport
from minutebook.domain.changeset import FileChange
from minutebook.domain.events import Conflict, FileStatus, PlanApplyCompleted, ResourceModified
from minutebook.domain.fitting import fit


def resources_modified(report: ApplyReport) -> Iterator[ResourceModified]:
    """Return one event for each file."""
    for project in report.projects:
        for file in project.changeset.files:
            yield ResourceModified(
                plan_id=report.plan_id,
                project_names=(project.project.name,),
                resource=file.path,
                change=file.status,
                old_path=file.old_path,
                sandbox_path=project.sandbox_path,
                tool_name=report.tool_name,
                bytes_before=file.bytes_before,
                bytes_after=file.bytes_after,
                digest_before=file.digest_before,
                digest_after=file.digest_after,
                sha256_before=file.sha256_before,
                sha256_after=file.sha256_after,
                mode_changed=file.mode_changed,
                lines_added=file.lines_added,
                lines_removed=file.lines_removed,
            )


def apply_succeeded(report: ApplyReport) -> PlanApplyCompleted:
    """Return the event of an apply whose projects have their changes."""
    changesets = [project.changeset for project in report.projects]
    statuses = [
        _status(project, file) for project in report.projects for file in project.changeset.files
    ]
    files, omitted = fit(statuses, lambda status: 6 * len(status.path) + 200)
    return PlanApplyCompleted(
        plan_id=report.plan_id,
        project_names=report.project_names,
        commit_before=changesets[0].commit_before,
        commit_after=changesets[0].commit_after,
        projects=report.applied_projects(moved=True),
        files_changed=sum(changeset.files_changed for changeset in changesets),
        lines_added=sum(changeset.lines_added for changeset in changesets),
        lines_removed=sum(changeset.lines_removed for changeset in changesets),
        files_created=sum(changeset.files_created for changeset in changesets),
        files_modified=sum(changeset.files_modified for changeset in changesets),
        files_deleted=sum(changeset.files_deleted for changeset in changesets),
        files_renamed=sum(changeset.files_renamed for changeset in changesets),
        files=files,
        files_omitted=omitted,
        conflicts=(),
        validations=report.validations,
        duration_s=report.seconds,
        recovered=report.recovered,
    )


def apply_failed(report: ApplyReport, error_type: str) -> PlanApplyCompleted:
    """Return the event of an apply that left the projects as they were."""
    conflicts, omitted = fit(report.conflicts, _conflict_size)
    return PlanApplyCompleted(
        plan_id=report.plan_id,
        project_names=report.project_names,
        outcome="failure",
        outcome_reason=error_type,
        severity="error",
        commit_before=report.commit_before,
        commit_after=None,
        projects=report.applied_projects(moved=False),
        files_changed=0,
        lines_added=0,
        lines_removed=0,
        files_created=0,
        files_modified=0,
        files_deleted=0,
        files_renamed=0,
        files=(),
        conflicts=conflicts,
        conflicts_omitted=omitted,
        validations=report.validations,
        duration_s=report.seconds,
        recovered=report.recovered,
    )


def _status(project: ProjectReport, file: FileChange) -> FileStatus:
    return FileStatus(
        path=file.path,
        change=file.status,
        lines_added=file.lines_added,
        lines_removed=file.lines_removed,
        project_name=project.project.name,
    )


def _conflict_size(conflict: Conflict) -> int:
    return 6 * len(conflict.path) + 200 + 140 * len(conflict.hunks)
