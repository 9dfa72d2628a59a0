"""The sandboxes of an execution: new ones, or those of the attempt before, put where it is said."""

from __future__ import annotations

from collections.abc import Sequence

from minutebook.actors.base import ASK_TIMEOUT_S, Ask
from minutebook.domain.commands import (
    CreateSandbox,
    ExecutePlan,
    ListCheckpoints,
    ListCorrections,
)
from minutebook.domain.state import Checkpoint, Correction, Plan, Sandbox


def pending_corrections(plan: Plan, ask_plans: Ask) -> list[Correction]:
    """Return the corrections since the last execution, oldest first."""
    if plan.attempts == 1:
        return []
    asked = ask_plans(ListCorrections(plan_id=plan.plan_id))
    corrections: tuple[Correction, ...] = asked.get(timeout=ASK_TIMEOUT_S)
    return [each for each in corrections if each.after_attempt == plan.attempts - 1]


def make_sandboxes(
    plan: Plan, command: ExecutePlan, corrections: Sequence[Correction], ask_sandboxes: Ask
) -> list[Sandbox]:
    """Return a sandbox for each of the plan's projects, in their order.

    Args:
        plan: in phase execute.
        command: says where they are made, and whether they are kept.
        corrections: those since the last execution.
        ask_sandboxes: makes them.

    Raises:
        ProjectError: one cannot be made, or put back.
    """
    reverts = [each for each in corrections if each.mode == "revert"]
    # Each goes back further than those before it, whose decisions are void by then.
    commits = _commits_at(plan, reverts[-1].checkpoint_id, ask_sandboxes) if reverts else {}
    made = []
    for position, project in enumerate(plan.projects):
        create = CreateSandbox(
            plan_id=plan.plan_id,
            project_path=project.path,
            project_name=project.name,
            kind="git_worktree" if project.kind == "git" else "directory",
            position=position,
            directory=command.sandbox_directory,
            keep=command.keep,
            resumes=plan.attempts > 1,
            revert=bool(reverts),
            at=commits.get(project.name),
        )
        made.append(ask_sandboxes(create).get(timeout=ASK_TIMEOUT_S))
    return made


def _commits_at(plan: Plan, checkpoint_id: str | None, ask_sandboxes: Ask) -> dict[str, str]:
    if checkpoint_id is None:
        return {}
    asked = ask_sandboxes(ListCheckpoints(plan_id=plan.plan_id))
    checkpoints: tuple[Checkpoint, ...] = asked.get(timeout=ASK_TIMEOUT_S)
    return {
        checkpoint.project_name: checkpoint.commit
        for checkpoint in checkpoints
        if checkpoint.checkpoint_id == checkpoint_id
    }
