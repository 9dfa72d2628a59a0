"""Releasing what a crash left, with events.

Most of it is done by opening a system on the ledger: that gives each service what dead
processes had begun. The doctor does the rest, waits, and looks again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pykka import Timeout

from minutebook.actors.doctoring.examine import examine
from minutebook.actors.doctoring.findings import Finding, Treated
from minutebook.actors.doctoring.reading import ReadOnlyAppDatabase
from minutebook.actors.parts import side_file
from minutebook.actors.system import AuditSystem
from minutebook.actors.work.survivors import kill_survivors
from minutebook.domain.context import bind
from minutebook.domain.errors import AppDatabaseError, MinutebookError
from minutebook.domain.events import ResourceReleased
from minutebook.domain.plan import ProcessingState
from minutebook.domain.resources import PROCESS

SERVICE: Final = "minutebook-doctor"
"""What the ``source`` of its events begins with."""

WAIT_S: Final = 120.0
"""How long one cancellation may take."""


def treat(ledger: Path, sandbox_directory: Path, identity: str) -> list[Treated]:
    """Release what is found, and return what became of each.

    Args:
        ledger: its file.
        sandbox_directory: where the host makes sandboxes.
        identity: who is at it.
    """
    try:
        found = examine(ledger, sandbox_directory)
    except AppDatabaseError:
        # Of an older version, which opening it brings to this one.
        AuditSystem.open(ledger, service=SERVICE, sandbox_directory=sandbox_directory).close()
        found = examine(ledger, sandbox_directory)
    if not found:
        return []
    killed = _kill(ledger, found)
    with (
        AuditSystem.open(ledger, service=SERVICE, sandbox_directory=sandbox_directory) as system,
        bind(identity=identity),
    ):
        for finding in killed:
            system.audit.tell(_released(finding))
        _end_plans(system, found)
        system.sandboxes.release_orphans().get()
    left = {(finding.ailment, finding.id) for finding in examine(ledger, sandbox_directory)}
    return [Treated(finding, (finding.ailment, finding.id) not in left) for finding in found]


def _kill(ledger: Path, found: Sequence[Finding]) -> list[Finding]:
    """Kill the processes of dead hosts, before the services do: here it is told which."""
    strays = [finding for finding in found if finding.ailment == "stray_process"]
    if not strays:
        return []
    database = ReadOnlyAppDatabase(side_file(ledger, ".app.db"))
    try:
        for plan_id in sorted({finding.plan_id for finding in strays}):
            worker = database.row("SELECT * FROM plan_workers WHERE plan_id = ?", (plan_id,))
            if worker is not None:
                kill_survivors(worker["mark"], worker["pid"], worker["pid_started"])
    finally:
        database.close()
    return strays


def _released(stray: Finding) -> ResourceReleased:
    return ResourceReleased(
        source=f"{SERVICE}/doctor",
        plan_id=stray.plan_id,
        project_names=stray.project_names,
        kind=PROCESS,
        resource_id=stray.id,
        owner="doctor",
        since=None,
        bytes=0,
        files=0,
        seconds=0.0,
    )


def _end_plans(system: AuditSystem, found: Sequence[Finding]) -> None:
    for finding in found:
        if finding.ailment not in ("stuck_plan", "unended_cancellation"):
            continue
        # What cannot be ended is found again, and said to be left.
        with contextlib.suppress(MinutebookError, Timeout):
            plan = system.plans.get(finding.plan_id).get(timeout=WAIT_S)
            if plan.processing_state is ProcessingState.PROCESSING:
                # Joins the one that is gone on with, if there is one.
                reason = "minutebook doctor: who worked on it is gone"
                system.plans.cancel(plan.plan_id, reason=reason).get(timeout=WAIT_S)
