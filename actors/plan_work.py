"""A plan's work, from sandbox to commit: one run, on a thread of its own.

The work itself is a child process: a thread could not be stopped. The thread only follows
it, so that the PlanApplyActor stays free for other commands, a cancel among them.
"""

from __future__ import annotations

import contextlib
import secrets
import threading

from minutebook.actors.base import ASK_TIMEOUT_S, Ask
from minutebook.actors.git.command import Author
from minutebook.actors.plan_running import CANCELLED
from minutebook.actors.sandbox_commits import commit_all, files_between
from minutebook.actors.work.context import Attempt
from minutebook.actors.work.process import GRACE_S, WorkProcess
from minutebook.actors.work.progress import Step, WorkResult
from minutebook.actors.work.spec import WorkSpec
from minutebook.actors.work.survivors import start_time
from minutebook.actors.work.temporary import make_temporary, remove_temporary
from minutebook.actors.work_limits import Looking, SizeLimits
from minutebook.actors.work_notes import WorkNotes
from minutebook.actors.work_sandboxes import make_sandboxes, pending_corrections
from minutebook.domain.commands import (
    Command,
    CompletePhase,
    ConstrainPlan,
    ExecutePlan,
    FailPlan,
    LeavePlan,
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
from minutebook.domain.fitting import shortened
from minutebook.domain.plan import Phase
from minutebook.domain.redaction import Redactor
from minutebook.domain.state import (
    Correction,
    Execution,
    HeldWork,
    Plan,
    ProjectChangeset,
    Sandbox,
)


class PlanWork:
    """One execution of a plan.

    Args:
        plan: in phase execute.
        command: with what to run, and where.
        limits: of its sandboxes' size.
        ask_plans, ask_sandboxes: the other actors.
        redactor: masks secrets in what failed work said.
    """

    def __init__(
        self,
        plan: Plan,
        command: ExecutePlan,
        limits: SizeLimits,
        ask_plans: Ask,
        ask_sandboxes: Ask,
        redactor: Redactor,
    ) -> None:
        self._plan = plan
        self._command = command
        self._work: WorkSpec = command.work
        self._limits = limits
        self._ask_plans = ask_plans
        self._ask_sandboxes = ask_sandboxes
        self._redactor = redactor
        self._notes = WorkNotes(plan.plan_id, ask_plans, ask_sandboxes)
        self._corrections: list[Correction] = []
        self._sandboxes: list[Sandbox] = []
        self._lock = threading.Lock()
        self._process: WorkProcess | None = None
        self._result: WorkResult | None = None
        self._step_under_way: str | None = None
        self._stopped_because: str | None = None
        self._mark = secrets.token_hex(16)

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
            # Last of all: nobody has to look after the plan for us from here on.
            with contextlib.suppress(AuditClosed):
                self._ask_plans(LeavePlan(plan_id=self._plan.plan_id))

    def hold(self, because: str) -> HeldWork:
        """Have the work begin nothing new, and return how its processes are known.

        Args:
            because: for the message.
        """
        with self._lock:
            self._stopped_because = because
            process = self._process
        if process is None:
            return HeldWork()
        return HeldWork(mark=self._mark, pid=process.pid, pid_started=start_time(process.pid))

    def stop(self, because: str, *, grace_s: float = GRACE_S) -> None:
        """End the work and all its processes.

        Args:
            because: for the message.
            grace_s: how long they have to end by themselves.
        """
        self.hold(because)
        if self._process is not None:
            self._process.stop(grace_s)

    def _run(self) -> Execution:
        plan = self._plan
        self._corrections = pending_corrections(plan, self._ask_plans)
        self._sandboxes = make_sandboxes(
            plan, self._command, self._corrections, self._ask_sandboxes
        )
        result = self._follow()
        if self._stopped_because is not None:
            raise WorkFailed(self._stopped_message(self._stopped_because))
        self._remove_temporary()
        if not result.ok:
            # Masked before it is cut: the name that tells a secret may stand before the cut.
            said = self._redactor.mask_text(result.error or result.output_tail)
            said = shortened(said if result.error else said[-500:].strip() or "it said nothing")
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

    def _remove_temporary(self) -> None:
        if self._sandboxes:
            remove_temporary(self._sandboxes[0].path)

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
        mark = self._mark
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
                env={"TMPDIR": str(make_temporary(self._sandboxes[0].path))},
                plan_id=self._plan.plan_id,
                identity=binding.user_identity,
                binding={name: value for name, value in binding._asdict().items() if value},
            )
        pid = self._process.pid
        self._ask_plans(
            NoteProcess(plan_id=self._plan.plan_id, mark=mark, pid=pid, pid_started=start_time(pid))
        )
        self._result = result = self._process.wait(
            self._note_step, on_note=self._notes.take, on_look=Looking(self._check_size).look
        )
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
            # After a cancel, the plan's end and all that it held are the orchestrator's.
            return
        self._remove_temporary()
        # A failure is recorded by the sandboxes' actor; the caller is told of the work's.
        with contextlib.suppress(MinutebookError):
            self._ask_sandboxes(ReleaseSandbox(plan_id=self._plan.plan_id)).get(
                timeout=ASK_TIMEOUT_S
            )


def _changeset_id(changesets: tuple[ProjectChangeset, ...]) -> str:
    if len(changesets) == 1:
        return changesets[0].commit
    return " ".join(f"{changeset.project_name}@{changeset.commit}" for changeset in changesets)
