"""Plans: the callers' side of the PlanLifecycleActor and the CancellationOrchestrator."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pykka import Future

from minutebook.actors.base import Service
from minutebook.actors.inbox import Inbox
from minutebook.domain.commands import (
    CancelPlan,
    CreatePlan,
    DeletePlan,
    GetPlan,
    ListPlans,
    StrategizePlan,
)
from minutebook.domain.plan import Phase
from minutebook.domain.state import Cancellation, Plan


class Plans(Service):
    """``system.plans``: each call returns a future; errors are raised by its ``get``.

    Args:
        inbox: the PlanLifecycleActor's.
        cancellation: the CancellationOrchestrator's.
        refuse: raises when what is to be recorded may not be done now.
        revive: see `Service`.
    """

    def __init__(
        self,
        inbox: Inbox,
        cancellation: Inbox,
        refuse: Callable[[], None] | None = None,
        revive: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(inbox, refuse, revive)
        self.cancellation = Service(cancellation, refuse, revive)
        """The caller's side of the CancellationOrchestrator."""

    def create(self, *, action: str, project: str | bytes | os.PathLike[Any]) -> Future[Plan]:
        """Make a plan for a project.

        `ProjectMissing`, `NotARepository` or `ProjectDirty` when the project is not the top
        of a clean git work tree.

        Args:
            action: what it is to do, in words.
            project: path of the repository.
        """
        return self.ask(CreatePlan(action=action, project=os.fsdecode(project)))

    def get(self, plan_id: str) -> Future[Plan]:
        """Look up a plan; `UnknownPlan` when there is none."""
        return self.ask(GetPlan(plan_id=plan_id))

    def list(self, *, phase: Phase | None = None) -> Future[tuple[Plan, ...]]:
        """List the plans, oldest first; all, or those in a phase."""
        return self.ask(ListPlans(phase=phase))

    def strategize(self, plan_id: str, *, strategy: str) -> Future[Plan]:
        """Say how a plan is to be done, and take it from action to strategize."""
        return self.ask(StrategizePlan(plan_id=plan_id, strategy=strategy))

    def cancel(self, plan_id: str, *, reason: str) -> Future[Cancellation]:
        """Stop a plan: end its work, release its sandbox, and record one ``plan.cancelled``.

        `UnknownPlan` when there is none, `IllegalTransition` when it has ended or is being
        applied.
        """
        return self.cancellation.ask(CancelPlan(plan_id=plan_id, reason=reason))

    def delete(self, plan_id: str) -> Future[Plan]:
        """Delete what is known of a plan that has ended; the trail keeps its events."""
        return self.ask(DeletePlan(plan_id=plan_id))
