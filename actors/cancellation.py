"""CancellationOrchestrator: stops a plan, collects what it held, and records one entry."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from pykka import Timeout

from minutebook.actors.base import ASK_TIMEOUT_S, Ask, ServiceActor, Tell, handles
from minutebook.actors.sandbox_commits import touched
from minutebook.domain.commands import (
    BeginCancel,
    CancelPlan,
    CompletePhase,
    GetPlan,
    ListSandboxes,
    ReleaseSandbox,
    StopWork,
)
from minutebook.domain.context import user_identity_var
from minutebook.domain.errors import MinutebookError, ProjectError
from minutebook.domain.events import (
    PlanCancelled,
    PlanProgress,
    ReleasedResource,
    UnreleasedResource,
)
from minutebook.domain.fitting import shortened
from minutebook.domain.plan import Phase
from minutebook.domain.state import Cancellation, Plan, ReleasedSandbox, Sandbox, StoppedWork


class CancellationOrchestrator(ServiceActor):
    """Asks each actor that holds something of a plan to give it back.

    Args:
        service: the host's name.
        tell: takes the events.
        ask_plans, ask_apply, ask_sandboxes: the holders.
    """

    name = "cancellation"

    def __init__(
        self, service: str, tell: Tell, ask_plans: Ask, ask_apply: Ask, ask_sandboxes: Ask
    ) -> None:
        super().__init__(service)
        self._tell = tell
        self._ask_plans = ask_plans
        self._ask_apply = ask_apply
        self._ask_sandboxes = ask_sandboxes

    @handles(CancelPlan)
    def cancel(self, command: CancelPlan) -> Cancellation:
        """Stop a plan."""
        requested_at = datetime.now(UTC)
        started = time.monotonic()
        plan_id = command.plan_id
        before: Plan = self._ask_plans(BeginCancel(plan_id=plan_id)).get(timeout=ASK_TIMEOUT_S)
        stopped = self._stop_work(plan_id)
        sandboxes: tuple[Sandbox, ...] = self._ask_sandboxes(ListSandboxes(plan_id=plan_id)).get(
            timeout=ASK_TIMEOUT_S
        )
        files_touched = _files_touched(sandboxes)
        released, failed = list(stopped.released), list(stopped.failed)
        for sandbox in (held for held in sandboxes if not held.kept):
            self._release_sandbox(sandbox, released, failed)
        now: Plan = self._ask_plans(GetPlan(plan_id=plan_id)).get(timeout=ASK_TIMEOUT_S)
        duration_s = round(time.monotonic() - started, 6)
        self._tell(
            PlanCancelled(
                plan_id=plan_id,
                project_names=before.project_names,
                outcome="failure" if failed else "success",
                outcome_reason=command.reason,
                reason=command.reason,
                requested_by=user_identity_var.get(),
                phase=before.phase,
                processing_state=before.processing_state,
                last_completed_step=now.last_step,
                progress=PlanProgress(
                    steps_done=now.steps_done,
                    steps_total=now.steps_total,
                    files_touched=files_touched,
                ),
                sandbox_refs=tuple(sandbox.path for sandbox in sandboxes),
                changeset_id=now.changeset_id,
                released=tuple(released),
                failed=tuple(failed),
                requested_at=requested_at,
                completed_at=datetime.now(UTC),
                duration_s=duration_s,
            )
        )
        self._ask_plans(CompletePhase(plan_id=plan_id, phase=Phase.CANCELLED)).get(
            timeout=ASK_TIMEOUT_S
        )
        return Cancellation(
            plan_id=plan_id,
            reason=command.reason,
            phase=before.phase,
            released=tuple(released),
            failed=tuple(failed),
            seconds=duration_s,
        )

    def _stop_work(self, plan_id: str) -> StoppedWork:
        try:
            stopped: StoppedWork = self._ask_apply(StopWork(plan_id=plan_id)).get(
                timeout=ASK_TIMEOUT_S
            )
        except (MinutebookError, Timeout) as error:
            left = UnreleasedResource(kind="process", id="unknown", error=_explained(error))
            return StoppedWork(failed=(left,))
        return stopped

    def _release_sandbox(
        self,
        sandbox: Sandbox,
        released: list[ReleasedResource],
        failed: list[UnreleasedResource],
    ) -> None:
        try:
            release = ReleaseSandbox(plan_id=sandbox.plan_id, sandbox_id=sandbox.sandbox_id)
            freed: ReleasedSandbox = self._ask_sandboxes(release).get(timeout=ASK_TIMEOUT_S)
        except (MinutebookError, Timeout) as error:
            failed.append(
                UnreleasedResource(kind=sandbox.kind, id=sandbox.path, error=_explained(error))
            )
            return
        released.append(
            ReleasedResource(
                kind=sandbox.kind,
                id=freed.path,
                bytes=freed.bytes_freed,
                files=freed.files_freed,
                seconds=round(freed.seconds, 6),
            )
        )
        if freed.branch is not None:
            released.append(
                ReleasedResource(kind="git_branch", id=freed.branch, bytes=0, files=0, seconds=0.0)
            )


def _explained(error: Exception) -> str:
    return shortened(str(error)) or f"it did not answer within {ASK_TIMEOUT_S} s"


def _files_touched(sandboxes: tuple[Sandbox, ...]) -> int | None:
    try:
        return sum(touched(sandbox, sandbox.commit or "HEAD") for sandbox in sandboxes)
    except ProjectError:
        return None
