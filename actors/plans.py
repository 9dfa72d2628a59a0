"""Plans: the callers' side of the PlanLifecycleActor and the CancellationOrchestrator."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, cast

from pydantic import SecretStr
from pykka import Future

from minutebook.actors.base import Service, path_text
from minutebook.actors.inbox import Inbox
from minutebook.actors.work.context import digest_of_arguments
from minutebook.domain.commands import (
    ApprovePlan,
    CancelPlan,
    CorrectPlan,
    CreatePlan,
    DeletePlan,
    DenyPlan,
    GetCancellation,
    GetPlan,
    ListCorrections,
    ListDecisions,
    ListPlans,
    RecordDecision,
    RecordTool,
    StrategizePlan,
)
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.events import CancelPolicy
from minutebook.domain.plan import CorrectionMode, Phase
from minutebook.domain.state import Cancellation, Correction, Decision, Plan

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
        self._cancelling = Service(cancellation, refuse, revive)

    def connect_cancellation(self, inbox: Inbox) -> None:
        """Ask another CancellationOrchestrator from here on."""
        self._cancelling.connect(inbox)

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
        if isinstance(given, str | bytes | os.PathLike):
            msg = f"create: projects={given!r} is one path; give a list of them, or project=."
            raise InvalidCommand(f"{msg} Nothing was done.")
        return self.ask(
            CreatePlan(
                action=action,
                projects=tuple(map(path_text, given)),
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

    def decide(
        self,
        plan_id: str,
        question: str,
        *,
        choice: str,
        rationale: str | None = None,
        alternatives: Sequence[str] = (),
        parent: str | None = None,
    ) -> Future[Decision]:
        """Record what was decided about a plan; `IllegalTransition` when it has ended.

        Args:
            plan_id: which plan.
            question: what was to be decided.
            choice: what was decided.
            rationale: why.
            alternatives: what else could have been; at most 50.
            parent: id of the decision that it follows from; `UnknownDecision` when the plan
                has none of that id, or it is void.
        """
        return self.ask(
            RecordDecision(
                plan_id=plan_id,
                question=question,
                choice=choice,
                rationale=rationale,
                alternatives=tuple(alternatives),
                parent_decision_id=parent,
            )
        )

    def decisions(self, plan_id: str) -> Future[tuple[Decision, ...]]:
        """List a plan's decisions, oldest first; those that a correction made void, too."""
        return self.ask(ListDecisions(plan_id=plan_id))

    def tool_invoked(
        self,
        plan_id: str,
        name: str,
        *,
        arguments: object = None,
        ok: bool = True,
        exit_code: int | None = None,
        error: str | None = None,
        seconds: float = 0.0,
    ) -> Future[None]:
        """Record that the host used a tool for a plan; `IllegalTransition` when it has ended.

        Args:
            plan_id: which plan.
            name: the tool's.
            arguments: what it was given; only a keyed fingerprint of it is stored.
            ok: whether it succeeded.
            exit_code: of a program.
            error: why it failed.
            seconds: how long it took.
        """
        return self.ask(
            RecordTool(
                plan_id=plan_id,
                tool_name=name,
                arguments=SecretStr(digest_of_arguments(arguments)),
                ok=ok,
                exit_code=exit_code,
                error=error,
                seconds=seconds,
            )
        )

    def correct(
        self,
        plan_id: str,
        *,
        decision_id: str,
        mode: CorrectionMode,
        guidance: str,
        phase: Phase | str = Phase.EXECUTE,
    ) -> Future[Correction]:
        """Correct a decision, and have the plan re-enter a phase.

        The plan waits in that phase: for `strategize`, or for `system.apply.execute`, which
        first puts the sandbox where the correction wants it, and gives the guidance to the
        work as ``ctx.guidance``. An approval that was given before holds no longer.

        `IllegalTransition` while something works on the plan, when it has not come to the
        phase, when it was applied or cancelled, or ended in its apply; `UnknownDecision`.

        Args:
            plan_id: which plan; it may have ended as errored or constrained.
            decision_id: what is corrected.
            mode: ``"revert"`` makes the decision, and all after it, void, and the sandbox goes
                back to the last checkpoint before it, or to its beginning when there is none
                or the sandbox was released; ``"append"`` goes on from what is there.
            guidance: what is to be done otherwise.
            phase: ``strategize`` or ``execute``.
        """
        return self.ask(
            CorrectPlan(
                plan_id=plan_id,
                decision_id=decision_id,
                mode=mode,
                guidance=guidance,
                phase=cast(Phase, phase),
            )
        )

    def corrections(self, plan_id: str) -> Future[tuple[Correction, ...]]:
        """List a plan's corrections, oldest first."""
        return self.ask(ListCorrections(plan_id=plan_id))

    def approve(self, plan_id: str, *, reason: str | None = None) -> Future[Plan]:
        """Approve, as whoever is bound, of a plan that needs it; it can be applied then.

        `IllegalTransition` when it needs none, has it, is being worked on, or has ended.
        """
        return self.ask(ApprovePlan(plan_id=plan_id, reason=reason))

    def deny(self, plan_id: str, *, reason: str | None = None) -> Future[Plan]:
        """Do not approve of a plan that needs it: it ends as constrained.

        Its sandboxes are released, unless they are kept. `IllegalTransition` as for `approve`.
        """
        return self.ask(DenyPlan(plan_id=plan_id, reason=reason))

    def cancel(
        self,
        plan_id: str,
        *,
        reason: str,
        deadline: float | None = None,
        policy: CancelPolicy = "wait",
    ) -> Future[Cancellation]:
        """Stop a plan, give back what it holds, and record one ``plan.cancelled``.

        Its children are cancelled with it. A second cancel, at the same time or later, gets the
        result of the first. `UnknownPlan` when there is none; `IllegalTransition` when it has
        ended, saying how, or is being applied by another process.

        Args:
            plan_id: which plan.
            reason: why, in words.
            deadline: seconds that holders are waited for, all together; what has not been
                given back then is ``pending``. The setting ``cancel_deadline`` when not given.
            policy: what becomes of an apply that is under way. ``"wait"`` lets it finish, for
                as long as the deadline says; when it succeeds, the plan is applied, and stays
                so. ``"rollback"`` stops it at once, and puts the project back where files
                have moved. The entry's ``apply_outcome`` says which happened.
        """
        return self._cancelling.ask(
            CancelPlan(plan_id=plan_id, reason=reason, deadline_s=deadline, policy=policy)
        )

    def cancellation(self, plan_id: str) -> Future[Cancellation]:
        """Look up how a plan's cancellation stands; final when its ``state`` is ``done``.

        `UnknownCancellation` when nobody has asked for one, `UnknownPlan` when there is no
        such plan.
        """
        return self._cancelling.ask(GetCancellation(plan_id=plan_id))

    def delete(self, plan_id: str) -> Future[Plan]:
        """Delete what is known of a plan that has ended; the trail keeps its events."""
        return self.ask(DeletePlan(plan_id=plan_id))
