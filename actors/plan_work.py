"""A plan's work, from sandbox to commit: one run, on a thread of its own.

The work itself is a child process: a thread could not be stopped. The thread only follows
it, so that the PlanApplyActor stays free for other commands, a cancel among them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Final

from minutebook.actors.base import ASK_TIMEOUT_S, Ask
from minutebook.actors.git.apply import commit_sandbox
from minutebook.actors.git.changes import read_changeset
from minutebook.actors.git.command import Author
from minutebook.actors.ledger.flag import Flag
from minutebook.actors.work.process import WorkProcess
from minutebook.actors.work.progress import Step, WorkResult
from minutebook.actors.work.spec import WorkSpec
from minutebook.domain.commands import (
    CompletePhase,
    CreateSandbox,
    FailPlan,
    NoteProgress,
    ReleaseSandbox,
)
from minutebook.domain.context import Binding
from minutebook.domain.errors import IllegalTransition, MinutebookError, WorkFailed
from minutebook.domain.events import ReleasedResource, UnreleasedResource
from minutebook.domain.fitting import shortened
from minutebook.domain.plan import Phase
from minutebook.domain.state import Execution, Plan, ProjectChangeset, Sandbox, StoppedWork

CANCELLED: Final = "its plan was cancelled"
"""Why work is stopped by a cancel."""

CLOSED: Final = "the audit system was closed"
"""Why work is stopped by the end of the system."""

END_TIMEOUT_S: Final = ASK_TIMEOUT_S / 2
"""How long the end of work that was stopped is waited for; who asked waits longer."""


class PlanWork:
    """One execution of a plan.

    Args:
        plan: in phase execute.
        work: what to run.
        ask_plans, ask_sandboxes: the other actors.
    """

    def __init__(self, plan: Plan, work: WorkSpec, ask_plans: Ask, ask_sandboxes: Ask) -> None:
        self._plan = plan
        self._work = work
        self._ask_plans = ask_plans
        self._ask_sandboxes = ask_sandboxes
        self._lock = threading.Lock()
        self._process: WorkProcess | None = None
        self._result: WorkResult | None = None
        self._step_under_way: str | None = None
        self._stopped_because: str | None = None
        self._ended = Flag()

    def run(self) -> Execution:
        """Make the sandbox, run the work in it, and commit what it left.

        Raises:
            WorkFailed: it failed, or was stopped; the sandbox is released, and the plan has
                ended.
        """
        try:
            return self._run()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            with self._lock:
                self._ended.set()

    def stop(self, because: str) -> StoppedWork:
        """End the work and all its processes, and wait until `run` has noticed.

        Args:
            because: for the message.
        """
        started = time.monotonic()
        with self._lock:
            if self._ended.is_set():
                return StoppedWork()
            self._stopped_because = because
            process = self._process
        if process is not None:
            process.stop()
        ended = self._ended.wait(END_TIMEOUT_S)
        if process is None:
            return StoppedWork()
        if not ended:
            error = f"its end was not noticed within {END_TIMEOUT_S} s"
            left = UnreleasedResource(kind="process", id=str(process.pid), error=error)
            return StoppedWork(failed=(left,))
        if self._result is None or not self._result.stopped:
            return StoppedWork()
        released = ReleasedResource(
            kind="process",
            id=str(process.pid),
            bytes=0,
            files=0,
            seconds=round(time.monotonic() - started, 6),
        )
        return StoppedWork(released=(released,))

    def _run(self) -> Execution:
        plan = self._plan
        sandboxes = self._make_sandboxes()
        result = self._follow(sandboxes)
        if self._stopped_because is not None:
            raise WorkFailed(self._stopped_message(self._stopped_because))
        if not result.ok:
            said = shortened(result.error or result.output_tail[-500:].strip() or "it said nothing")
            msg = (
                f"the work {self._work.label!r} of plan {plan.plan_id} failed with exit code"
                f" {result.exit_code}: {said}; correct it and create a new plan."
            )
            raise WorkFailed(msg)
        changesets = tuple(self._commit(sandbox) for sandbox in sandboxes)
        changeset_id = _changeset_id(changesets)
        done = CompletePhase(plan_id=plan.plan_id, phase=Phase.EXECUTE, changeset_id=changeset_id)
        try:
            self._ask_plans(done).get(timeout=ASK_TIMEOUT_S)
        except IllegalTransition:
            # The plan was cancelled when its work had just ended.
            raise WorkFailed(self._stopped_message(CANCELLED)) from None
        return Execution(
            plan_id=plan.plan_id,
            sandbox=sandboxes[0],
            changeset_id=changeset_id,
            changesets=changesets,
            files_changed=sum(changeset.files_changed for changeset in changesets),
            steps_done=result.steps_done,
            output=result.output_tail,
            seconds=result.seconds,
        )

    def _make_sandboxes(self) -> list[Sandbox]:
        made = []
        for position, project in enumerate(self._plan.projects):
            create = CreateSandbox(
                plan_id=self._plan.plan_id,
                project_path=project.path,
                project_name=project.name,
                kind="git_worktree" if project.kind == "git" else "directory",
                position=position,
            )
            made.append(self._ask_sandboxes(create).get(timeout=ASK_TIMEOUT_S))
        return made

    def _commit(self, sandbox: Sandbox) -> ProjectChangeset:
        author = Author.parse(Binding.current().user_identity)
        assert sandbox.commit is not None, sandbox
        commit = commit_sandbox(sandbox.path, self._plan.action, author)
        changeset = read_changeset(sandbox.path, sandbox.commit, commit)
        return ProjectChangeset(
            project_name=sandbox.project_name, commit=commit, files_changed=changeset.files_changed
        )

    def _stopped_message(self, because: str) -> str:
        return (
            f"the work of plan {self._plan.plan_id} was stopped: {because};"
            " create a new plan to do it again."
        )

    def _follow(self, sandboxes: list[Sandbox]) -> WorkResult:
        binding = Binding.current()
        with self._lock:
            if self._stopped_because is not None:
                msg = (
                    f"the work of plan {self._plan.plan_id} was stopped before it began:"
                    f" {self._stopped_because}; create a new plan to do it."
                )
                raise WorkFailed(msg)
            self._process = WorkProcess.start(
                self._work,
                sandbox=sandboxes[0].path,
                sandboxes={sandbox.project_name: sandbox.path for sandbox in sandboxes},
                plan_id=self._plan.plan_id,
                identity=binding.user_identity,
                binding={name: value for name, value in binding._asdict().items() if value},
            )
        self._result = result = self._process.wait(self._note_step)
        self._ask_plans(
            NoteProgress(
                plan_id=self._plan.plan_id,
                last_step=result.last_completed_step,
                steps_done=result.steps_done,
                steps_total=result.total,
            )
        ).get(timeout=ASK_TIMEOUT_S)
        return result

    def _note_step(self, step: Step) -> None:
        # A step is done when the next one begins.
        completed, self._step_under_way = self._step_under_way, step.name
        self._ask_plans(
            NoteProgress(
                plan_id=self._plan.plan_id,
                last_step=completed,
                steps_done=step.number - 1,
                steps_total=step.total,
            )
        )

    def _give_up(self, error: BaseException) -> None:
        failed = FailPlan(
            plan_id=self._plan.plan_id, error=str(error), error_type=type(error).__name__
        )
        ended: Plan = self._ask_plans(failed).get(timeout=ASK_TIMEOUT_S)
        if ended.phase is Phase.CANCELLED:
            # After a cancel, the plan's end and the sandbox are the orchestrator's.
            return
        # A failure is recorded by the sandboxes' actor; the caller is told of the work's.
        with contextlib.suppress(MinutebookError):
            self._ask_sandboxes(ReleaseSandbox(plan_id=self._plan.plan_id)).get(
                timeout=ASK_TIMEOUT_S
            )


def _changeset_id(changesets: tuple[ProjectChangeset, ...]) -> str:
    if len(changesets) == 1:
        return changesets[0].commit
    return " ".join(f"{changeset.project_name}@{changeset.commit}" for changeset in changesets)
