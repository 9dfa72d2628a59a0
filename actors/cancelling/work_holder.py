"""The processes of a plan's work: found, ended, and waited for.

Work of this process is ended by who runs it: SIGTERM to the whole group, SIGKILL after a grace.
Work of a process that died, or of another one, is found by what is noted of it in the app
database, and only what is proven to be the work's is touched.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from minutebook.actors.base import ASK_TIMEOUT_S
from minutebook.actors.cancelling.own_holder import OwnHolder
from minutebook.actors.work.process import GRACE_S
from minutebook.actors.work.survivors import end_survivors, find_survivors, is_running
from minutebook.domain.commands import HoldWork, StopWork
from minutebook.domain.errors import WorkFailed
from minutebook.domain.resources import PROCESS, Freed, HeldResource
from minutebook.domain.state import HeldWork

_LOOK_S: Final = 0.05


class WorkHolder(OwnHolder):
    """Holds the processes of the plan's work."""

    name = "apply"

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        """Return each process, the one that looks after the others included."""
        ask = self._context.ask.apply
        here: HeldWork | None = ask(HoldWork(plan_id=plan_id)).get(timeout=ASK_TIMEOUT_S)
        self._is_here = here is not None
        self._work = here or self._noted()
        self._started = find_survivors(self._work.mark, self._work.pid, self._work.pid_started)
        if not self._started and here is not None and here.pid is not None and not _has_proc():
            self._started = {here.pid: 0}
        return [
            self._holds(PROCESS, str(pid), _moment(started))
            for pid, started in self._started.items()
        ]

    def prepare(self, held: Sequence[HeldResource]) -> None:
        """End all of them, and wait until who follows the work has noticed."""
        self._began = time.monotonic()
        if self._is_here:
            stop = StopWork(plan_id=self._plan_id, grace_s=self._grace_s())
            self._context.ask.apply(stop).get(timeout=self._context.left_s() + ASK_TIMEOUT_S)
        else:
            self._end_elsewhere()
        self._context.work_ended.set()

    def release(self, resource: HeldResource) -> Freed:
        """Make sure that one is gone."""
        pid = int(resource.id)
        started = self._started.get(pid)
        if started is not None and is_running(pid, started):
            msg = f"process {pid} goes on after SIGKILL; look at what it waits for."
            raise WorkFailed(msg)
        return Freed(seconds=time.monotonic() - self._began)

    def end(self) -> None:
        """Keep nobody waiting."""
        self._context.work_ended.set()

    def _grace_s(self) -> float:
        # What waits for the end of the work needs some of the time, too.
        return min(GRACE_S, self._context.row.deadline_s / 4)

    def _noted(self) -> HeldWork:
        worker = self._context.record.worker(self._plan_id)
        if worker is None:
            return HeldWork()
        return HeldWork(mark=worker["mark"], pid=worker["pid"], pid_started=worker["pid_started"])

    def _end_elsewhere(self) -> None:
        grace_s = self._grace_s()
        while True:
            work = self._noted()
            end_survivors(work.mark, work.pid, work.pid_started, grace_s)
            # A process that lives leaves the plan when it has noticed; until then it may go on.
            if not self._context.record.is_worked_on_elsewhere(self._plan_id):
                return
            grace_s = 0.0
            time.sleep(_LOOK_S)


def _moment(started: int) -> datetime | None:
    """When a process began, from its clock ticks since boot."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return datetime.fromtimestamp(booted + started / os.sysconf("SC_CLK_TCK"), UTC)
    except (OSError, StopIteration, ValueError):
        return None


def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()
