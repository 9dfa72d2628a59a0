"""PlanApplyActor: runs plans' work in sandboxes, and merges what it left into projects."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pykka import Future

from minutebook.actors.apply_ending import ApplyEnding
from minutebook.actors.apply_record import ApplyRecord
from minutebook.actors.apply_recovery import ApplyRecovery
from minutebook.actors.base import (
    ASK_TIMEOUT_S,
    LATER,
    Ask,
    Later,
    Service,
    StatefulActor,
    answer,
    handles,
    path_text,
)
from minutebook.actors.ledger.flag import Flag
from minutebook.actors.outbox import Outbox
from minutebook.actors.plan_merge import PlanMerge
from minutebook.actors.plan_projects import ensure_ready
from minutebook.actors.plan_running import CANCELLED, CLOSED, END_S, Running
from minutebook.actors.plan_work import PlanWork
from minutebook.actors.project_locks import ProjectLocks
from minutebook.actors.project_merge import repository_of, scratch_of
from minutebook.actors.recording import Intent
from minutebook.actors.work.spec import WorkSpec, describe_command, describe_work
from minutebook.actors.work_limits import SizeLimits
from minutebook.domain.commands import (
    ApplyPlan,
    BeginPhase,
    EndApply,
    ExecutePlan,
    GetPlan,
    HoldWork,
    ListSandboxes,
    StopWork,
)
from minutebook.domain.errors import IllegalTransition, UnknownSandbox, WorkFailed
from minutebook.domain.plan import Phase, ProcessingState, check_transition
from minutebook.domain.redaction import Redactor
from minutebook.domain.state import Applied, Execution, HeldWork, Plan, Sandbox

NO_LIMITS: Final = SizeLimits()


class PlanApplyActor(StatefulActor):
    """Begins each execution and apply, and leaves it to a thread of its own.

    Args:
        service, outbox: as for every `StatefulActor`.
        ask_plans, ask_sandboxes: the other actors.
        directory: where sandboxes and scratch work trees are made.
        redactor: masks secrets in what validations, and work that fails, print.
        limits: of sandboxes' size, where an execution gives none.
    """

    name = "apply"

    def __init__(
        self,
        service: str,
        outbox: Outbox,
        ask_plans: Ask,
        ask_sandboxes: Ask,
        directory: Path,
        redactor: Redactor,
        limits: SizeLimits = NO_LIMITS,
    ) -> None:
        super().__init__(service, outbox)
        self._ask_plans = ask_plans
        self._ask_sandboxes = ask_sandboxes
        self._directory = directory
        self._redactor = redactor
        self._limits = limits
        self._works: Running[PlanWork] = Running()
        self._merges: Running[PlanMerge] = Running()
        self._record = ApplyRecord(outbox)
        self._locks = ProjectLocks(directory)
        self._ending = ApplyEnding(self._record, ask_plans, ask_sandboxes)
        self._recovery = ApplyRecovery(self._record, self._ending, self._locks, ask_plans)

    def on_stop(self) -> None:
        """Stop what runs; its plans end as errored."""
        # At once: each may take its seconds to end.
        running: list[tuple[PlanWork | PlanMerge, Flag]] = [
            *self._works.all(),
            *self._merges.all(),
        ]
        stopping = [threading.Thread(target=run.stop, args=(CLOSED,)) for run, _ in running]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join(ASK_TIMEOUT_S)
        for _, ended in running:
            ended.wait(ASK_TIMEOUT_S)
        self._record.close()

    def _catch_up(self) -> None:
        self._record.catch_up()
        self._resume_orphans()

    def _orphans(self) -> list[Intent]:
        return self._record.left()

    def _resume(self, intent: Intent) -> None:
        """Bring an apply to its end whose process died, or failed to."""
        self._recovery.resume(intent)

    @handles(ExecutePlan)
    def execute(self, command: ExecutePlan) -> Later:
        """Run a plan's work; answered when it has ended."""
        spec: WorkSpec = command.work
        plan = self._begin(command.plan_id, Phase.EXECUTE, spec.label)
        limits = SizeLimits(
            command.bytes_max or self._limits.bytes_max, command.files_max or self._limits.files_max
        )
        work = PlanWork(plan, command, limits, self._ask_plans, self._ask_sandboxes, self._redactor)
        self._works.start(plan.plan_id, work, self._leaving(plan, work.run))
        return LATER

    @handles(ApplyPlan)
    def apply(self, command: ApplyPlan) -> Later:
        """Apply a plan's changes; answered when that has ended."""
        plan: Plan = self._ask_plans(GetPlan(plan_id=command.plan_id)).get(timeout=ASK_TIMEOUT_S)
        check_transition(plan.plan_id, plan.phase, Phase.APPLY)
        if plan.processing_state is ProcessingState.PROCESSING:
            msg = f"plan {plan.plan_id}: its work has not ended; wait for execute() to resolve."
            raise IllegalTransition(msg)
        if plan.processing_state is ProcessingState.QUEUED:
            msg = f"plan {plan.plan_id} was corrected; execute() it again first."
            raise IllegalTransition(msg)
        # Before the plan enters the phase: a dirty project can be cleaned and applied to then.
        for project in plan.projects:
            ensure_ready(project, self._database)
        sandboxes = self._sandboxes_of(plan)
        # Before it too: who finds the plan in the phase finds this as well.
        intent = self._record.begin(plan.plan_id, **self._describe(plan, sandboxes))
        try:
            plan = self._begin(command.plan_id, Phase.APPLY, None)
        except BaseException:
            self._record.drop(intent)
            self._record.forget(plan.plan_id)
            raise
        merge = PlanMerge(
            plan,
            command,
            sandboxes,
            intent,
            record=self._record,
            ending=self._ending,
            locks=self._locks,
            redactor=self._redactor,
        )
        self._merges.start(plan.plan_id, merge, self._leaving(plan, merge.run))
        return LATER

    @handles(HoldWork)
    def hold_work(self, command: HoldWork) -> HeldWork | None:
        """Have a plan's work begin nothing new."""
        running = self._works.of(command.plan_id)
        return None if running is None else running[0].hold(CANCELLED)

    @handles(StopWork)
    def stop_work(self, command: StopWork) -> Later | None:
        """End a plan's work; answered when it has ended."""
        running = self._works.of(command.plan_id)
        if running is None:
            return None
        work, ended = running

        def stop() -> None:
            work.stop(CANCELLED, grace_s=command.grace_s)
            if not ended.wait(END_S):
                msg = (
                    f"the work of plan {command.plan_id} was stopped, and its end is not known"
                    f" after {END_S:g} s; look at what its processes wait for."
                )
                raise WorkFailed(msg)

        return self._later(stop)

    @handles(EndApply)
    def end_apply(self, command: EndApply) -> Later | bool:
        """Have a plan's apply come to its end; answered when it has."""
        running = self._merges.of(command.plan_id)
        if running is None:
            return False
        merge, ended = running

        def end() -> bool:
            if not command.undo and ended.wait(command.wait_s):
                return True
            merge.stop(CANCELLED, undo=command.undo)
            return ended.wait(END_S)

        return self._later(end)

    def _later(self, work: Callable[[], Any]) -> Later:
        """Answer what is asked now, when something has come to its end."""
        reply = self.request.reply
        threading.Thread(target=answer, args=(reply, work), daemon=True).start()
        return LATER

    def _sandboxes_of(self, plan: Plan) -> list[Sandbox]:
        existing: tuple[Sandbox, ...] = self._ask_sandboxes(
            ListSandboxes(plan_id=plan.plan_id)
        ).get(timeout=ASK_TIMEOUT_S)
        by_path = {sandbox.project_path: sandbox for sandbox in existing}
        missing = [project.path for project in plan.projects if project.path not in by_path]
        if missing:
            msg = (
                f"plan {plan.plan_id} has no sandbox of {missing[0]!r} any more, and with it its"
                " changes are gone; create a new plan."
            )
            raise UnknownSandbox(msg)
        return [by_path[project.path] for project in plan.projects]

    def _describe(self, plan: Plan, sandboxes: Sequence[Sandbox]) -> dict[str, Any]:
        """Return what whoever ends the apply of a process that died needs to know."""
        directory = self._directory / f"{plan.plan_id}.applying"
        return {
            "directory": str(directory),
            "paths": [project.path for project in plan.projects],
            "project_names": list(plan.project_names),
            "tool_name": plan.tool_name or "unknown",
            "began": time.time(),
            "scratches": [
                (str(repository_of(project, sandbox)), str(scratch_of(directory, position)))
                for position, (project, sandbox) in enumerate(
                    zip(plan.projects, sandboxes, strict=True)
                )
            ],
        }

    def _begin(self, plan_id: str, phase: Phase, tool_name: str | None) -> Plan:
        begin = BeginPhase(plan_id=plan_id, phase=phase, tool_name=tool_name)
        plan: Plan = self._ask_plans(begin).get(timeout=ASK_TIMEOUT_S)
        return plan

    def _leaving(self, plan: Plan, run: Callable[[], Any]) -> Callable[[], None]:
        """Return what runs something of a plan as whoever asks for it now, and answers that."""
        request = self.request

        def finish() -> None:
            with request.binding._replace(plan_id=plan.plan_id).restored(source=self.source):
                answer(request.reply, run)

        return finish


class Apply(Service):
    """``system.apply``: each call returns a future; errors are raised by its ``get``."""

    def execute(
        self,
        plan_id: str,
        work: Callable[..., Any] | str | Sequence[str],
        *,
        sandbox_directory: str | bytes | os.PathLike[Any] | None = None,
        keep: bool = False,
        bytes_max: int | None = None,
        files_max: int | None = None,
    ) -> Future[Execution]:
        """Run a plan's work in a child process, in a sandbox made from the project's HEAD.

        The future resolves when the work has ended and its changes are committed on the
        sandbox's branch; it raises `WorkFailed` when it failed or was stopped, and
        `PlanConstrained` when the plan broke one of its limits.

        Args:
            plan_id: a plan in phase strategize, or one that a correction took back.
            work: a function that a child process can import, called with a
                `minutebook.actors.work.context.WorkContext`; or its name as
                ``"package.module:function"``; or a command line as a list of strings.
            sandbox_directory: where the sandboxes are made; of a correction's execution, only
                those that were released.
            keep: whether the sandboxes survive the plan's end, until they are released by name.
            bytes_max, files_max: how large the sandboxes may be together, looked at every
                second or so, after each step and at the end; the system's limits when not given.

        Raises:
            UnimportableWork: a child could not find the function, or it is no work at all; nothing
                was begun. (A name in a text is looked up by the child: `WorkFailed`.)
        """
        directory = None if sandbox_directory is None else path_text(sandbox_directory)
        return self.ask(
            ExecutePlan(
                plan_id=plan_id,
                work=describe_work(work),
                sandbox_directory=directory,
                keep=keep,
                bytes_max=bytes_max,
                files_max=files_max,
            )
        )

    def apply(
        self,
        plan_id: str,
        *,
        validations: Sequence[Sequence[str]] = (),
        validation_timeout: float = 300.0,
    ) -> Future[Applied]:
        """Merge a plan's changes into all its projects, if they merge and pass every validation.

        The future raises `ProjectDirty` when a project is not clean to begin with (the plan
        stays as it is), or `MergeConflict`, `ValidationFailed` or another `ProjectError` (the
        plan ends as errored); in each case all of the projects are as they were.

        Args:
            plan_id: a plan whose work has ended.
            validations: command lines that must exit with 0 in the first project's merged
                tree; ``MINUTEBOOK_PROJECTS`` has a JSON object of all trees by project name.
            validation_timeout: seconds that each may take; then it is killed with all that it
                has started.

        Raises:
            UnimportableWork: a validation is no command line; nothing was begun.
        """
        return self.ask(
            ApplyPlan(
                plan_id=plan_id,
                validations=tuple(describe_command(command).argv for command in validations),
                validation_timeout_s=validation_timeout,
            )
        )
