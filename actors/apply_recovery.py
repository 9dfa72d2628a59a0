"""Applies whose process died: moved on to the end, or back to where they began."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from minutebook.actors.apply_ending import ApplyEnding
from minutebook.actors.apply_record import ENDING, MERGING, MOVING, UNDOING, ApplyRecord
from minutebook.actors.apply_report import ApplyReport, read_report
from minutebook.actors.base import ASK_TIMEOUT_S, Ask
from minutebook.actors.moving.move import Move
from minutebook.actors.project_locks import ProjectLocks
from minutebook.actors.project_merge import discard_scratch
from minutebook.actors.recording import Intent
from minutebook.domain.commands import GetPlan
from minutebook.domain.errors import ProjectError, UnknownPlan, WorkFailed
from minutebook.domain.plan import Phase
from minutebook.domain.state import Plan

logger = logging.getLogger("minutebook.actors")

WAIT_S: Final = 2.0
"""How long the git commands of the process that died are waited for, before the next look."""


class ApplyRecovery:
    """Brings to an end what was cut off.

    Args:
        record: how far it had come.
        ending: ends it.
        locks: of the projects.
        ask_plans: the PlanLifecycleActor.
    """

    def __init__(
        self, record: ApplyRecord, ending: ApplyEnding, locks: ProjectLocks, ask_plans: Ask
    ) -> None:
        self._record = record
        self._ending = ending
        self._locks = locks
        self._ask_plans = ask_plans

    def resume(self, intent: Intent) -> None:
        """Go on from an apply's last step.

        Raises:
            MinutebookError: not now; the next look tries again.
        """
        if intent.kind == ENDING:
            self._ending.finish(intent)
            return
        with self._locks.held(intent.detail["paths"], wait_s=WAIT_S):
            if intent.kind == MERGING:
                self._resume_merging(intent)
            elif intent.kind == MOVING:
                self._resume_moving(intent)
            else:
                assert intent.kind == UNDOING, intent
                self._undo(intent, intent.detail["error"], intent.detail["error_type"])

    def _resume_merging(self, intent: Intent) -> None:
        for repository, scratch in intent.detail["scratches"]:
            # A project that is gone has nothing to discard.
            with contextlib.suppress(ProjectError):
                discard_scratch(Path(repository), Path(scratch))
        if not self._is_applying(intent.detail["plan_id"]):
            self._ending.abandon(intent)
            return
        msg = (
            f"the process that applied plan {intent.detail['plan_id']} died before a project was"
            " touched; create a new plan to do it again."
        )
        self._ending.fail(intent, _bare_report(intent), msg, WorkFailed.__name__)

    def _is_applying(self, plan_id: str) -> bool:
        try:
            plan: Plan = self._ask_plans(GetPlan(plan_id=plan_id)).get(timeout=ASK_TIMEOUT_S)
        except UnknownPlan:
            return False
        return plan.phase is Phase.APPLY

    def _resume_moving(self, intent: Intent) -> None:
        try:
            for move in moves_of(_report(intent)):
                move.forth()
        except ProjectError as error:
            with self._record.recorded() as recording:
                undoing = self._record.step(
                    recording, intent, UNDOING, error=str(error), error_type=type(error).__name__
                )
            self._undo(undoing, str(error), type(error).__name__)
        else:
            self._ending.succeed(intent, _report(intent))

    def _undo(self, intent: Intent, error: str, error_type: str) -> None:
        try:
            report = _report(intent)
            problem = move_back(moves_of(report))
        except ProjectError as unreadable:
            report, problem = _bare_report(intent), str(unreadable)
        said = error if problem is None else f"{error} {problem}"
        self._ending.fail(intent, report, said, error_type, keep=problem is not None)


def moves_of(report: ApplyReport) -> list[Move]:
    """Return the moves of an apply's projects; raises `ProjectError`."""
    stores = [project.store for project in report.projects]
    return [Move(Path(store)) for store in stores if store is not None]


def move_back(moves: Sequence[Move]) -> str | None:
    """Move all projects back, and return what could not be done, if anything."""
    problem: str | None = None
    for move in reversed(moves):
        try:
            move.back()
        except ProjectError as error:
            logger.error("an apply could not be undone to the end: %s", error)
            problem = problem or f"{error} The old files are in {move.store}."
    return problem


def _report(intent: Intent) -> ApplyReport:
    directory = Path(intent.detail["directory"])
    try:
        report = read_report(directory)
    except (OSError, ValueError) as error:
        msg = (
            f"what is needed to end the apply of plan {intent.detail['plan_id']} cannot be read"
            f" from {directory}: {error}; put it back."
        )
        raise ProjectError(msg) from error
    return report.model_copy(update={"recovered": True})


def _bare_report(intent: Intent) -> ApplyReport:
    return ApplyReport(
        plan_id=intent.detail["plan_id"],
        project_names=tuple(intent.detail["project_names"]),
        tool_name=intent.detail["tool_name"],
        seconds=round(max(0.0, time.time() - intent.detail["began"]), 6),
        recovered=True,
    )
