"""The end of an apply: told once, the plan ended, the sandboxes released, nothing left."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from minutebook.actors.apply_events import apply_failed, apply_succeeded, resources_modified
from minutebook.actors.apply_record import ENDING, ApplyRecord
from minutebook.actors.apply_report import ApplyReport
from minutebook.actors.base import ASK_TIMEOUT_S, Ask
from minutebook.actors.recording import Intent
from minutebook.domain.commands import CompleteApply, FailPlan, ReleaseSandbox
from minutebook.domain.errors import MinutebookError, UnknownPlan
from minutebook.domain.state import Applied


class ApplyEnding:
    """Ends applies: those of this process, and those of processes that died.

    Args:
        record: how far they have come.
        ask_plans, ask_sandboxes: the other actors.
    """

    def __init__(self, record: ApplyRecord, ask_plans: Ask, ask_sandboxes: Ask) -> None:
        self._record = record
        self._ask_plans = ask_plans
        self._ask_sandboxes = ask_sandboxes

    def succeed(self, intent: Intent, report: ApplyReport) -> Applied:
        """The projects have their changes: tell so, and end the plan."""
        applied = report.applied()
        with self._record.recorded() as recording:
            for event in resources_modified(report):
                recording.tell(event)
            recording.tell(apply_succeeded(report))
            intent = self._record.step(
                recording,
                intent,
                ENDING,
                applied=applied.model_dump(),
                resources=report.resources(),
            )
        self.finish(intent)
        return applied

    def fail(
        self,
        intent: Intent,
        report: ApplyReport,
        error: str,
        error_type: str,
        *,
        keep: bool = False,
    ) -> None:
        """The projects are as they were: tell so, and end the plan.

        Args:
            intent: the apply.
            report: what is known of it.
            error, error_type: why, and the name of the exception's class.
            keep: whether the old files stay, since some of them could not be given back.
        """
        with self._record.recorded() as recording:
            recording.tell(apply_failed(report, error_type))
            intent = self._record.step(
                recording, intent, ENDING, error=error, error_type=error_type, keep=keep
            )
        self.finish(intent)

    def finish(self, intent: Intent) -> None:
        """What happened was told: bring the rest to its end; harmless when it has come there."""
        detail = intent.detail
        plan_id = detail["plan_id"]
        if "applied" in detail:
            applied = Applied.model_validate(detail["applied"])
            resources = tuple(detail["resources"])
            end: CompleteApply | FailPlan = CompleteApply(
                plan_id=plan_id, applied=applied, resources=resources
            )
        else:
            end = FailPlan(plan_id=plan_id, error=detail["error"], error_type=detail["error_type"])
        # It may have been ended before this was cut off, and deleted since.
        with contextlib.suppress(UnknownPlan):
            self._ask_plans(end).get(timeout=ASK_TIMEOUT_S)
        # A failure is recorded by the sandboxes' actor, and changes nothing about the apply.
        with contextlib.suppress(MinutebookError):
            self._ask_sandboxes(ReleaseSandbox(plan_id=plan_id)).get(timeout=ASK_TIMEOUT_S)
        self.abandon(intent)

    def abandon(self, intent: Intent) -> None:
        """Remove what the apply has on the disk, and forget it."""
        if not intent.detail.get("keep", False):
            shutil.rmtree(Path(intent.detail["directory"]), ignore_errors=True)
        self._record.drop(intent)
