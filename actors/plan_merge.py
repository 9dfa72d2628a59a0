"""An apply, from merge to the projects' new states: one run, on a thread of its own.

Everything that can fail happens in scratch work trees; the projects are only moved when all
merges are there and every validation has passed. Should one of them not move then, all are
moved back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from minutebook.actors.apply_ending import ApplyEnding
from minutebook.actors.apply_record import MOVING, UNDOING, ApplyRecord
from minutebook.actors.apply_recovery import move_back, moves_of
from minutebook.actors.apply_report import ApplyReport, write_report
from minutebook.actors.git.command import Author
from minutebook.actors.git.repository import inspect_project
from minutebook.actors.project_locks import ProjectLocks
from minutebook.actors.project_merge import MergedProject, merged
from minutebook.actors.recording import Intent
from minutebook.actors.work.process import WorkProcess
from minutebook.actors.work.validation import ValidationResult, run_validation
from minutebook.domain import events
from minutebook.domain.commands import ApplyPlan
from minutebook.domain.context import Binding
from minutebook.domain.errors import MergeConflict, ProjectError, ValidationFailed, WorkFailed
from minutebook.domain.events import ValidationOutcome
from minutebook.domain.fitting import shortened
from minutebook.domain.redaction import Redactor
from minutebook.domain.state import Applied, Plan, Sandbox

OUTPUT_CHARACTERS_MAX = 4000
"""How much of a validation's output its event has."""


class PlanMerge:
    """One apply of a plan.

    Args:
        plan: in phase apply.
        command: with the validations.
        sandboxes: one for each of the plan's projects, in their order.
        intent: its first step, made before the plan entered the phase.
        record, ending, locks: what all applies have in common.
        redactor: masks secrets in what validations print.
    """

    def __init__(
        self,
        plan: Plan,
        command: ApplyPlan,
        sandboxes: Sequence[Sandbox],
        intent: Intent,
        *,
        record: ApplyRecord,
        ending: ApplyEnding,
        locks: ProjectLocks,
        redactor: Redactor,
    ) -> None:
        self._plan = plan
        self._command = command
        self._sandboxes = sandboxes
        self._intent = intent
        self._record = record
        self._ending = ending
        self._locks = locks
        self._redactor = redactor
        self._directory = Path(intent.detail["directory"])
        self._started = time.monotonic()
        self._lock = Lock()
        self._process: WorkProcess | None = None
        self._stopped_because: str | None = None
        self._moving = False
        self._touched = False
        self._keep = False
        self._report = ApplyReport(
            plan_id=plan.plan_id,
            project_names=plan.project_names,
            tool_name=plan.tool_name or "unknown",
        )

    def run(self) -> Applied:
        """Merge, validate, move the projects, tell, and release the sandboxes.

        Raises:
            MergeConflict, ValidationFailed, ProjectError, WorkFailed: the projects are as they
                were, and the plan has ended.
        """
        try:
            try:
                with self._locks.held([project.path for project in self._plan.projects]):
                    self._prepare()
                    self._move()
            except BaseException as error:
                self._fail(error)
                raise
            self._update(seconds=self._seconds())
            return self._ending.succeed(self._intent, self._report)
        finally:
            self._record.forget(self._plan.plan_id)

    def stop(self, because: str, *, undo: bool = False) -> None:
        """Leave the projects as they are, unless they are being moved already.

        Args:
            because: for the message.
            undo: whether they are moved back then, until it has been told that they have
                their changes.
        """
        with self._lock:
            if self._moving and not undo:
                return
            self._stopped_because = because
            process = self._process
        if process is not None:
            process.stop()

    def _prepare(self) -> None:
        author = Author.parse(Binding.current().user_identity)
        self._refuse_when_stopped()
        if self._plan.projects[0].kind == "git":
            self._update(commit_before=inspect_project(self._plan.project_path).head)
        self._directory.mkdir(mode=0o700)
        with ExitStack() as stack:
            trees: list[MergedProject] = []
            conflicts: list[MergeConflict] = []
            for position, project in enumerate(self._plan.projects):
                sandbox = self._sandboxes[position]
                merge = merged(project, sandbox, self._directory, position, author)
                # All of them are tried, so that every conflict is known.
                try:
                    trees.append(stack.enter_context(merge))
                except MergeConflict as error:
                    conflicts.append(error)
            self._update(projects=tuple(tree.report for tree in trees))
            if trees and not conflicts:
                self._update(commit_before=trees[0].report.changeset.commit_before)
            if conflicts:
                self._refuse_conflicts(conflicts)
            self._validate(trees)
        self._update(seconds=self._seconds())
        write_report(self._directory, self._report)

    def _refuse_conflicts(self, conflicts: Sequence[MergeConflict]) -> None:
        of_all = tuple(conflict for error in conflicts for conflict in error.conflicts)
        self._update(conflicts=of_all)
        if len(conflicts) == 1:
            raise conflicts[0]
        raise MergeConflict(" ".join(map(str, conflicts)), conflicts=of_all)

    def _move(self) -> None:
        self._refuse_when_stopped(moving=True)
        moves = moves_of(self._report)
        with self._record.recorded() as recording:
            self._intent = self._record.step(recording, self._intent, MOVING)
        self._touched = True
        try:
            for move in moves:
                move.forth()
                self._refuse_when_stopped()
        except BaseException as error:
            with self._record.recorded() as recording:
                self._intent = self._record.step(
                    recording,
                    self._intent,
                    UNDOING,
                    error=str(error),
                    error_type=type(error).__name__,
                )
            problem = move_back(moves)
            self._touched = False
            if problem is not None:
                self._keep = True
                raise ProjectError(f"{error} {problem}") from error
            raise

    def _fail(self, error: BaseException) -> None:
        if self._touched:
            # How far it has come could not be noted. The next look goes on from what was.
            return
        self._update(seconds=self._seconds())
        self._ending.fail(
            self._intent, self._report, str(error), type(error).__name__, keep=self._keep
        )

    def _validate(self, trees: Sequence[MergedProject]) -> None:
        paths = {tree.report.project.name: str(tree.scratch) for tree in trees}
        for command in self._command.validations:
            result = run_validation(
                command,
                trees[0].scratch,
                timeout_s=self._command.validation_timeout_s,
                env={"MINUTEBOOK_PROJECTS": json.dumps(paths)},
                plan_id=self._plan.plan_id,
                on_start=self._note_process,
            )
            self._note_result(result)
            self._refuse_when_stopped()
            if not result.ok:
                how = (
                    f"ran over its limit of {self._command.validation_timeout_s} s"
                    if result.timed_out
                    else f"ended with exit code {result.exit_code}"
                )
                said = self._redactor.mask_text(result.output_tail).strip()[-500:]
                said = shortened(said).rstrip(".") or "it said nothing"
                shown = " ".join(self._redactor.mask_command(command))
                msg = (
                    f"plan {self._plan.plan_id}: the validation {shown!r} {how}: {said}. The"
                    " project is as it was; correct the work and create a new plan."
                )
                raise ValidationFailed(msg)

    def _note_result(self, result: ValidationResult) -> None:
        command = self._redactor.mask_command(result.command)
        exit_code = None if result.stopped else result.exit_code
        seconds = round(result.seconds, 6)
        outcome = ValidationOutcome(
            command=command, passed=result.ok, exit_code=exit_code, seconds=seconds
        )
        self._update(validations=(*self._report.validations, outcome))
        event = events.ValidationPassed if result.ok else events.ValidationFailed
        with self._record.recorded() as recording:
            recording.tell(
                event(
                    plan_id=self._plan.plan_id,
                    project_names=self._plan.project_names,
                    command=command,
                    exit_code=exit_code,
                    seconds=seconds,
                    timed_out=result.timed_out,
                    output_tail=self._redactor.mask_text(result.output_tail)[
                        -OUTPUT_CHARACTERS_MAX:
                    ],
                )
            )

    def _note_process(self, process: WorkProcess) -> None:
        with self._lock:
            self._process = process
            stopped = self._stopped_because is not None
        if stopped:
            process.stop()

    def _refuse_when_stopped(self, *, moving: bool = False) -> None:
        with self._lock:
            because = self._stopped_because
            self._moving = self._moving or moving
        if because is not None:
            msg = (
                f"the apply of plan {self._plan.plan_id} was stopped: {because}; the project is"
                " as it was: create a new plan to do it again."
            )
            raise WorkFailed(msg)

    def _update(self, **changes: object) -> None:
        self._report = self._report.model_copy(update=changes)

    def _seconds(self) -> float:
        return round(time.monotonic() - self._started, 6)
