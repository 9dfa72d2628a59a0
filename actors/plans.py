"""Plans: the callers' side of the PlanLifecycleActor and the CancellationOrchestrator."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
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
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.plan import Phase
from minutebook.domain.state import Cancellation, Plan

AnyPath = str | bytes | os.PathLike[Any]
"""A path in any form; bytes that are not UTF-8 are kept."""


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

    def create(
        self,
        *,
        action: str,
        project: AnyPath | None = None,
        projects: Sequence[AnyPath] = (),
        parent_plan_id: str | None = None,
        needs_approval: bool = False,
        attempts_max: int = 10,
    ) -> Future[Plan]:
        """Make a plan for one project, or for several.

        `ProjectMissing`, `NotARepository` or `ProjectDirty` when one is neither the top of a
        clean git work tree nor a directory that is in none; `ProjectsOverlap` when one was
        given twice, or inside another; `UnknownPlan` or `IllegalTransition` when the parent
        takes no children.

        Args:
            action: what it is to do, in words.
            project, projects: path of the project, or of several; one of the two.
            parent_plan_id: the plan that it is a part of.
            needs_approval: whether it has to be approved before it can be applied.
            attempts_max: how often it may be executed, corrections included.

        Raises:
            InvalidCommand: not exactly one of ``project`` and ``projects`` was given.
        """
        if (project is None) == (not projects):
            msg = "create: give either project= or projects=[...]; nothing was done."
            raise InvalidCommand(msg)
        given = projects if project is None else (project,)
        return self.ask(
            CreatePlan(
                action=action,
                projects=tuple(os.fsdecode(path) for path in given),
                parent_plan_id=parent_plan_id,
                needs_approval=needs_approval,
                attempts_max=attempts_max,
            )
        )

    def get(self, plan_id: str) -> Future[Plan]:
        """Look up a plan; `UnknownPlan` when there is none."""
        return self.ask(GetPlan(plan_id=plan_id))

    def list(
        self, *, phase: Phase | None = None, parent: str | None = None
    ) -> Future[tuple[Plan, ...]]:
        """List the plans, oldest first; all, those in a phase, or the children of one."""
        return self.ask(ListPlans(phase=phase, parent_plan_id=parent))

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
