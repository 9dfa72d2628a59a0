"""A plan's work, from sandbox to commit: one run, on a thread of its own.

The work itself is a child process: a thread could not be stopped. The thread only follows
it, so that the PlanApplyActor stays free for other commands, a cancel among them.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from typing import Final

from minutebook.actors.base import ASK_TIMEOUT_S, Ask
from minutebook.actors.git.command import Author
from minutebook.actors.ledger.flag import Flag
from minutebook.actors.sandbox_commits import commit_all, files_between
from minutebook.actors.work.context import Attempt
from minutebook.actors.work.process import WorkProcess
from minutebook.actors.work.progress import Step, WorkResult
from minutebook.actors.work.spec import WorkSpec
from minutebook.actors.work.survivors import start_time
from minutebook.actors.work_limits import SizeLimits
from minutebook.actors.work_notes import WorkNotes
from minutebook.domain.commands import (
    Command,
    CompletePhase,
    ConstrainPlan,
    CreateSandbox,
    ExecutePlan,
    FailPlan,
    LeavePlan,
    ListCheckpoints,
    ListCorrections,
    NoteProcess,
    NoteProgress,
    ReleaseSandbox,
)
from minutebook.domain.context import Binding
from minutebook.domain.errors import (
    AuditClosed,
    IllegalTransition,
    MinutebookError,
    PlanConstrained,
    WorkFailed,
)
from minutebook.domain.events import ReleasedResource, UnreleasedResource
from minutebook.domain.fitting import shortened
from minutebook.domain.plan import Phase
from minutebook.domain.state import (
    Correction,
    Execution,
    Plan,
    ProjectChangeset,
    Sandbox,
    StoppedWork,
)

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
        command: with what to run, and where.
        limits: of its sandboxes' size.
        ask_plans, ask_sandboxes: the other actors.
    """

    def __init__(
        self,
        plan: Plan,
        command: ExecutePlan,
        limits: SizeLimits,
        ask_plans: Ask,
        ask_sandboxes: Ask,
    ) -> None:
        self._plan = plan
        self._command = command
        self._work: WorkSpec = command.work
        self._limits = limits
        self._ask_plans = ask_plans
        self._ask_sandboxes = ask_sandboxes
        self._notes = WorkNotes(plan.plan_id, ask_plans, ask_sandboxes)
        self._corrections: list[Correction] = []
        self._sandboxes: list[Sandbox] = []
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
            PlanConstrained: it broke a limit; the same.
        """
        try:
            return self._run()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            with self._lock:
                self._ended.set()
            # Last of all: nobody has to look after the plan for us from here on.
            with contextlib.suppress(AuditClosed):
                self._ask_plans(LeavePlan(plan_id=self._plan.plan_id))

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
        self._corrections = self._pending_corrections()
        self._make_sandboxes()
        result = self._follow()
        if self._stopped_because is not None:
            raise WorkFailed(self._stopped_message(self._stopped_because))
        if not result.ok:
            said = shortened(result.error or result.output_tail[-500:].strip() or "it said nothing")
            msg = (
                f"the work {self._work.label!r} of plan {plan.plan_id} failed with exit code"
                f" {result.exit_code}: {said}; correct it and create a new plan."
            )
            raise WorkFailed(msg)
        self._check_size()
        changesets = tuple(self._commit(sandbox) for sandbox in self._sandboxes)
        changeset_id = _changeset_id(changesets)
        done = CompletePhase(plan_id=plan.plan_id, phase=Phase.EXECUTE, changeset_id=changeset_id)
        try:
            self._ask_plans(done).get(timeout=ASK_TIMEOUT_S)
        except IllegalTransition:
            # The plan was cancelled when its work had just ended.
            raise WorkFailed(self._stopped_message(CANCELLED)) from None
        return Execution(
            plan_id=plan.plan_id,
            sandbox=self._sandboxes[0],
            changeset_id=changeset_id,
            changesets=changesets,
            files_changed=sum(changeset.files_changed for changeset in changesets),
            steps_done=result.steps_done,
            output=result.output_tail,
            seconds=result.seconds,
        )

    def _pending_corrections(self) -> list[Correction]:
        """Return the corrections since the last execution, oldest first."""
        if self._plan.attempts == 1:
            return []
        corrections = self._ask_plans(ListCorrections(plan_id=self._plan.plan_id)).get(
            timeout=ASK_TIMEOUT_S
        )
        before = self._plan.attempts - 1
        return [each for each in corrections if each.after_attempt == before]

    def _make_sandboxes(self) -> None:
        # Each goes back further than those before it, whose decisions are void by then.
        reverts = [each for each in self._corrections if each.mode == "revert"]
        commits: dict[str, str] = {}
        if reverts and reverts[-1].checkpoint_id is not None:
            checkpoints = self._ask_sandboxes(ListCheckpoints(plan_id=self._plan.plan_id)).get(
                timeout=ASK_TIMEOUT_S
            )
            commits = {
                checkpoint.project_name: checkpoint.commit
                for checkpoint in checkpoints
                if checkpoint.checkpoint_id == reverts[-1].checkpoint_id
            }
        for position, project in enumerate(self._plan.projects):
            create = CreateSandbox(
                plan_id=self._plan.plan_id,
                project_path=project.path,
                project_name=project.name,
                kind="git_worktree" if project.kind == "git" else "directory",
                position=position,
                directory=self._command.sandbox_directory,
                keep=self._command.keep,
                resumes=self._plan.attempts > 1,
                revert=bool(reverts),
                at=commits.get(project.name),
            )
            self._sandboxes.append(self._ask_sandboxes(create).get(timeout=ASK_TIMEOUT_S))

    def _commit(self, sandbox: Sandbox) -> ProjectChangeset:
        author = Author.parse(Binding.current().user_identity)
        assert sandbox.commit is not None, sandbox
        commit = commit_all(sandbox, self._plan.action, author)
        return ProjectChangeset(
            project_name=sandbox.project_name,
            commit=commit,
            files_changed=files_between(sandbox, sandbox.commit, commit),
        )

    def _check_size(self) -> None:
        self._limits.check(self._plan.plan_id, self._sandboxes)

    def _stopped_message(self, because: str) -> str:
        return (
            f"the work of plan {self._plan.plan_id} was stopped: {because};"
            " create a new plan to do it again."
        )

    def _follow(self) -> WorkResult:
        binding = Binding.current()
        guidance = self._corrections[-1].guidance if self._corrections else None
        mark = secrets.token_hex(16)
        with self._lock:
            if self._stopped_because is not None:
                msg = (
                    f"the work of plan {self._plan.plan_id} was stopped before it began:"
                    f" {self._stopped_because}; create a new plan to do it."
                )
                raise WorkFailed(msg)
            self._process = WorkProcess.start(
                self._work,
                sandbox=self._sandboxes[0].path,
                sandboxes={
                    sandbox.project_name: {"path": sandbox.path, "kind": sandbox.kind}
                    for sandbox in self._sandboxes
                },
                attempt=Attempt(self._plan.attempts, guidance),
                mark=mark,
                plan_id=self._plan.plan_id,
                identity=binding.user_identity,
                binding={name: value for name, value in binding._asdict().items() if value},
            )
        pid = self._process.pid
        self._ask_plans(
            NoteProcess(plan_id=self._plan.plan_id, mark=mark, pid=pid, pid_started=start_time(pid))
        )
        self._result = result = self._process.wait(self._note_step, on_note=self._notes.take)
        self._notes.wait()
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
        if completed is not None:
            self._check_size()

    def _give_up(self, error: BaseException) -> None:
        plan_id, said = self._plan.plan_id, str(error)
        end: Command = FailPlan(plan_id=plan_id, error=said, error_type=type(error).__name__)
        if isinstance(error, PlanConstrained):
            end = ConstrainPlan(plan_id=plan_id, reason=said)
        ended: Plan = self._ask_plans(end).get(timeout=ASK_TIMEOUT_S)
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
