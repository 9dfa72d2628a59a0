"""An apply, from merge to the project's new commit: one run, on a thread of its own.

Everything that can fail happens in a scratch work tree; the project is only moved when the
merge is there and every validation has passed.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from threading import Lock

from minutebook.actors.base import ASK_TIMEOUT_S, Ask, Tell
from minutebook.actors.git.apply import advance_project, merge_in_scratch
from minutebook.actors.git.changes import read_changeset
from minutebook.actors.git.command import Author
from minutebook.actors.git.repository import inspect_project
from minutebook.actors.git.worktree import branch_of
from minutebook.actors.work.process import WorkProcess
from minutebook.actors.work.validation import run_validation
from minutebook.domain.changeset import Changeset, FileChange
from minutebook.domain.commands import ApplyPlan, CompleteApply, FailPlan, ReleaseSandbox
from minutebook.domain.context import Binding
from minutebook.domain.errors import (
    MergeConflict,
    MinutebookError,
    ValidationFailed,
    WorkFailed,
)
from minutebook.domain.events import (
    FileStatus,
    PlanApplyCompleted,
    ResourceModified,
    ValidationOutcome,
)
from minutebook.domain.fitting import fit, fit_texts, shortened
from minutebook.domain.state import Applied, Plan


class PlanMerge:
    """One apply of a plan.

    Args:
        plan: in phase apply.
        command: with the validations.
        directory: where the scratch work tree is made.
        turn: one for all applies to the same project.
        tell, ask_plans, ask_sandboxes: the trail and the other actors.
    """

    def __init__(
        self,
        plan: Plan,
        command: ApplyPlan,
        directory: Path,
        *,
        turn: Lock,
        tell: Tell,
        ask_plans: Ask,
        ask_sandboxes: Ask,
    ) -> None:
        self._plan = plan
        self._command = command
        self._directory = directory
        self._turn = turn
        self._tell = tell
        self._ask_plans = ask_plans
        self._ask_sandboxes = ask_sandboxes
        self._started = time.monotonic()
        self._before = ""
        self._lock = Lock()
        self._process: WorkProcess | None = None
        self._stopped_because: str | None = None
        self._validations: list[ValidationOutcome] = []

    def run(self) -> Applied:
        """Merge, validate, move the project, tell, and release the sandbox.

        Raises:
            MergeConflict, ValidationFailed, ProjectError, WorkFailed: the project is as it was,
                and the plan has ended.
        """
        try:
            with self._turn:
                changeset = self._merge_and_move()
        except BaseException as error:
            self._tell_failure(error)
            self._ask_plans(
                FailPlan(
                    plan_id=self._plan.plan_id, error=str(error), error_type=type(error).__name__
                )
            ).get(timeout=ASK_TIMEOUT_S)
            self._release_sandbox()
            raise
        applied = Applied(
            plan_id=self._plan.plan_id,
            commit_before=changeset.commit_before,
            commit_after=changeset.commit_after,
            files_changed=changeset.files_changed,
            lines_added=changeset.lines_added,
            lines_removed=changeset.lines_removed,
            validations=tuple(self._validations),
            seconds=round(time.monotonic() - self._started, 6),
        )
        self._tell_success(changeset, applied)
        self._ask_plans(
            CompleteApply(
                plan_id=self._plan.plan_id,
                applied=applied,
                resources=tuple(file.path for file in changeset.files),
            )
        ).get(timeout=ASK_TIMEOUT_S)
        self._release_sandbox()
        return applied

    def stop(self, because: str) -> None:
        """Leave the project as it is, unless it is being moved already.

        Args:
            because: for the message.
        """
        with self._lock:
            self._stopped_because = because
            process = self._process
        if process is not None:
            process.stop()

    def _release_sandbox(self) -> None:
        # A failure is recorded by the sandboxes' actor, and changes nothing about the apply.
        with contextlib.suppress(MinutebookError):
            self._ask_sandboxes(ReleaseSandbox(plan_id=self._plan.plan_id)).get(
                timeout=ASK_TIMEOUT_S
            )

    def _merge_and_move(self) -> Changeset:
        self._refuse_when_stopped()
        project = inspect_project(self._plan.project_path)
        self._before = project.head
        scratch = self._directory / f"scratch-{self._plan.plan_id}"
        author = Author.parse(Binding.current().user_identity)
        with merge_in_scratch(project, branch_of(self._plan.plan_id), scratch, author) as merge:
            changeset = read_changeset(merge.path, merge.before, merge.after)
            self._validate(merge.path)
        self._refuse_when_stopped()
        advance_project(project, changeset.commit_before, changeset.commit_after)
        return changeset

    def _validate(self, path: Path) -> None:
        for command in self._command.validations:
            result = run_validation(
                command,
                path,
                timeout_s=self._command.validation_timeout_s,
                plan_id=self._plan.plan_id,
                on_start=self._note_process,
            )
            self._validations.append(
                ValidationOutcome(
                    command=command,
                    passed=result.ok,
                    exit_code=None if result.stopped else result.exit_code,
                    seconds=round(result.seconds, 6),
                )
            )
            self._refuse_when_stopped()
            if not result.ok:
                how = (
                    f"ran over its limit of {self._command.validation_timeout_s} s"
                    if result.timed_out
                    else f"ended with exit code {result.exit_code}"
                )
                said = shortened(result.output_tail.strip()[-500:]) or "it said nothing"
                msg = (
                    f"plan {self._plan.plan_id}: the validation {' '.join(command)!r} {how}:"
                    f" {said.rstrip('.')}. The project is as it was; correct the work and create"
                    " a new plan."
                )
                raise ValidationFailed(msg)

    def _note_process(self, process: WorkProcess) -> None:
        with self._lock:
            self._process = process
            stopped = self._stopped_because is not None
        if stopped:
            process.stop()

    def _refuse_when_stopped(self) -> None:
        if self._stopped_because is not None:
            msg = (
                f"the apply of plan {self._plan.plan_id} was stopped: {self._stopped_because};"
                " the project is as it was: create a new plan to do it again."
            )
            raise WorkFailed(msg)

    def _tell_success(self, changeset: Changeset, applied: Applied) -> None:
        for file in changeset.files:
            self._tell(
                ResourceModified(
                    plan_id=self._plan.plan_id,
                    project_names=(self._plan.project_name,),
                    resource=file.path,
                    change=file.status,
                    old_path=file.old_path,
                    sandbox_path=str(self._directory / self._plan.plan_id),
                    tool_name=self._plan.tool_name or "unknown",
                    bytes_before=file.bytes_before,
                    bytes_after=file.bytes_after,
                    digest_before=file.digest_before,
                    digest_after=file.digest_after,
                    lines_added=file.lines_added,
                    lines_removed=file.lines_removed,
                )
            )
        files, omitted = fit([_status(file) for file in changeset.files], _size)
        self._tell(
            PlanApplyCompleted(
                plan_id=self._plan.plan_id,
                project_names=(self._plan.project_name,),
                commit_before=changeset.commit_before,
                commit_after=changeset.commit_after,
                files_changed=changeset.files_changed,
                lines_added=changeset.lines_added,
                lines_removed=changeset.lines_removed,
                files_created=changeset.files_created,
                files_modified=changeset.files_modified,
                files_deleted=changeset.files_deleted,
                files_renamed=changeset.files_renamed,
                files=files,
                files_omitted=omitted,
                conflicts=(),
                validations=applied.validations,
                duration_s=applied.seconds,
            )
        )

    def _tell_failure(self, error: BaseException) -> None:
        conflicts = fit_texts(error.paths)[0] if isinstance(error, MergeConflict) else ()
        self._tell(
            PlanApplyCompleted(
                plan_id=self._plan.plan_id,
                project_names=(self._plan.project_name,),
                outcome="failure",
                outcome_reason=type(error).__name__,
                severity="error",
                commit_before=self._before,
                commit_after=None,
                files_changed=0,
                lines_added=0,
                lines_removed=0,
                files_created=0,
                files_modified=0,
                files_deleted=0,
                files_renamed=0,
                files=(),
                conflicts=conflicts,
                validations=tuple(self._validations),
                duration_s=round(time.monotonic() - self._started, 6),
            )
        )


def _status(file: FileChange) -> FileStatus:
    return FileStatus(
        path=file.path,
        change=file.status,
        lines_added=file.lines_added,
        lines_removed=file.lines_removed,
    )


def _size(status: FileStatus) -> int:
    return 6 * len(status.path) + 80
