"""What who works on a plan says: that it begins, how far it is, and how it ended."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import Any, Final

from minutebook.actors.base import Ask, handles
from minutebook.actors.outbox import Outbox
from minutebook.actors.plan_keeping import PlanKeeper
from minutebook.actors.work.survivors import start_time
from minutebook.domain.commands import (
    BeginPhase,
    CompletePhase,
    ConstrainPlan,
    FailPlan,
    LeavePlan,
    NoteProcess,
    NoteProgress,
    ReleaseSandbox,
)
from minutebook.domain.entry import to_microseconds
from minutebook.domain.errors import AuditClosed, IllegalTransition, PlanConstrained
from minutebook.domain.events import PlanErrored
from minutebook.domain.fitting import shortened
from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.state import Plan

QUEUED: Final = ProcessingState.QUEUED
PROCESSING: Final = ProcessingState.PROCESSING


class PlanWorkers(PlanKeeper):
    """The part of the actor that workers ask.

    Args:
        service, outbox: as for every `StatefulActor`.
        ask_sandboxes: releases what an ended plan holds.
    """

    def __init__(self, service: str, outbox: Outbox, ask_sandboxes: Ask) -> None:
        super().__init__(service, outbox)
        self._ask_sandboxes = ask_sandboxes

    @handles(BeginPhase)
    def begin_phase(self, command: BeginPhase) -> Plan:
        """Let a worker take a plan into a phase."""
        changes: dict[str, Any] = {}
        if command.tool_name is not None:
            changes["tool_name"] = command.tool_name
        exhausted = False
        with self._recorded() as recording:
            plan = self._known(command.plan_id)
            re_entry = plan.phase is command.phase and plan.processing_state is QUEUED
            if not re_entry:
                self._check_move(plan, command.phase)
            if command.phase is Phase.EXECUTE:
                changes["attempts"] = plan.attempts + 1
                exhausted = plan.attempts >= plan.attempts_max
            reason = f"it was executed {plan.attempts} times, which is its limit"
            if exhausted:
                self._constrain(recording, plan.plan_id, reason)
            elif command.phase is Phase.EXECUTE:
                # An apply has an intent, which says how far it came.
                self._work_on(plan.plan_id)
            if re_entry and not exhausted:
                # The correction has told of the phase.
                self._update(plan.plan_id, processing_state=PROCESSING.value, **changes)
            elif not exhausted:
                self._move(recording, plan.plan_id, command.phase, PROCESSING, **changes)
        if exhausted:
            self._release_sandboxes(plan.plan_id)
            msg = f"plan {plan.plan_id} has ended: {reason}; create a new plan."
            raise PlanConstrained(msg)
        return self._known(command.plan_id)

    @handles(NoteProgress)
    def note_progress(self, command: NoteProgress) -> None:
        """Remember how far a plan's work has come."""
        self._update(
            command.plan_id,
            last_step=command.last_step,
            steps_done=command.steps_done,
            steps_total=command.steps_total,
        )

    @handles(CompletePhase)
    def complete_phase(self, command: CompletePhase) -> Plan:
        """Note that a worker has done with a phase, unless the plan has left it."""
        with self._database.transaction():
            plan = self._known(command.plan_id)
            if plan.phase is not command.phase:
                msg = (
                    f"plan {plan.plan_id} has left phase {command.phase} for {plan.phase}"
                    " meanwhile; what was done in it is void: create a new plan."
                )
                raise IllegalTransition(msg)
            changes = {"processing_state": ProcessingState.COMPLETE.value}
            if command.changeset_id is not None:
                changes["changeset_id"] = command.changeset_id
            self._update(plan.plan_id, **changes)
            return self._known(plan.plan_id)

    @handles(FailPlan)
    def fail(self, command: FailPlan) -> Plan:
        """End a plan whose step failed; one that has ended already stays as it is."""
        error = shortened(command.error)
        try:
            with self._recorded() as recording:
                before, plan = self._move(
                    recording,
                    command.plan_id,
                    Phase.ERRORED,
                    ProcessingState.FAILED,
                    error=error,
                )
                recording.tell(
                    PlanErrored(
                        plan_id=plan.plan_id,
                        project_names=plan.project_names,
                        outcome_reason=command.error_type,
                        phase=before.phase,
                        error=error,
                        error_type=command.error_type,
                    )
                )
        except IllegalTransition:
            return self._known(command.plan_id)
        return plan

    @handles(ConstrainPlan)
    def constrain(self, command: ConstrainPlan) -> Plan:
        """End a plan that broke a limit; one that has ended already stays as it is."""
        try:
            with self._recorded() as recording:
                return self._constrain(recording, command.plan_id, shortened(command.reason))
        except IllegalTransition:
            return self._known(command.plan_id)

    @handles(NoteProcess)
    def note_process(self, command: NoteProcess) -> None:
        """Remember a plan's first process, for whoever has to look for its remains."""
        self._database.execute(
            "UPDATE plan_workers SET mark = ?, pid = ?, pid_started = ? WHERE plan_id = ?",
            (command.mark, command.pid, command.pid_started, command.plan_id),
        )

    @handles(LeavePlan)
    def leave(self, command: LeavePlan) -> None:
        """Forget who worked on a plan."""
        self._database.execute(
            "DELETE FROM plan_workers WHERE plan_id = ? AND producer = ?",
            (command.plan_id, self._outbox.producer),
        )

    def _release_sandboxes(self, plan_id: str) -> None:
        # A failure is recorded by the sandboxes' actor; it is nothing to wait for.
        with contextlib.suppress(AuditClosed):
            self._ask_sandboxes(ReleaseSandbox(plan_id=plan_id))

    def _work_on(self, plan_id: str) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO plan_workers (plan_id, producer, host_pid, host_started,"
            " since_at) VALUES (?, ?, ?, ?, ?)",
            (
                plan_id,
                self._outbox.producer,
                os.getpid(),
                start_time(os.getpid()),
                to_microseconds(datetime.now(UTC)),
            ),
        )
