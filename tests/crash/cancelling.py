"""A process that cancels a plan with a child, and kills itself at a chosen step.

``python -m tests.crash.cancelling LEDGER PROJECT SHELF PLACE COUNT``; dies the COUNT-th time that
it comes to the PLACE, where several threads come; says the ids of the two plans first.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minutebook.actors import AuditSystem
from minutebook.actors.cancelling.record import CancellationRecord
from minutebook.actors.outbox import Outbox
from minutebook.actors.plan_fencing import PlanFencing
from minutebook.domain import Freed, HeldResource, bind
from tests.actors import works

WAIT_S = 60.0

PLACES: tuple[str, ...] = (
    "after request",
    "before fence",
    "after fence",
    "before step",
    "after step",
    "before held",
    "after held",
    "after release",
    "after answer",
    "before collected",
    "after collected",
    "before done",
    "before telling",
    "after telling",
)
"""Before and after everything that is persisted of a cancellation, the request first of all."""


class FileShelf:
    """A host's holder: it has a file for each plan."""

    name = "shelf"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, plan_id: str) -> None:
        (self._directory / plan_id).write_text("held\n")

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        path = self._directory / plan_id
        if not path.exists():
            return []
        return [HeldResource(kind="file", id=str(path), plan_id=plan_id, owner=self.name)]

    def release(self, resource: HeldResource) -> Freed:
        path = Path(resource.id)
        if not path.exists():
            return Freed()
        path.unlink()
        return Freed(5, 1, 0.0)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def arm(place: str, count: int) -> None:
    """Set the trap."""
    when, _, what = place.partition(" ")
    lock = threading.Lock()
    left = [count]

    def pass_by() -> None:
        with lock:
            left[0] -= 1
            if left[0] == 0:
                die()

    def trap(owner: Any, name: str, *, is_it: Callable[..., bool] = lambda *_: True) -> None:
        function = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if when == "before" and is_it(*args):
                pass_by()
            result = function(*args, **kwargs)
            if when == "after" and is_it(*args):
                pass_by()
            return result

        setattr(owner, name, call)

    if what == "request":
        trap(CancellationRecord, "begin")
    elif what == "fence":
        trap(PlanFencing, "begin_cancel")
    elif what == "step":
        trap(CancellationRecord, "step")
    elif what == "held":
        trap(CancellationRecord, "hold")
    elif what == "release":
        trap(FileShelf, "release")
    elif what == "answer":
        # Behind the transaction of `recorded`, which tells.
        trap(Outbox, "_tell_untold", is_it=lambda outbox: outbox.actor == "cancellation")
    elif what == "collected":
        trap(CancellationRecord, "collect")
    elif what == "done":
        trap(CancellationRecord, "end")
    elif what == "telling":
        ended: list[bool] = []
        end = CancellationRecord.end

        def end_and_say(*args: Any) -> None:
            end(*args)
            ended.append(True)

        setattr(CancellationRecord, "end", end_and_say)  # noqa: B010 - not to be assigned
        trap(
            Outbox,
            "_tell_untold",
            is_it=lambda outbox: outbox.actor == "cancellation" and bool(ended),
        )
    else:
        raise AssertionError(place)


if __name__ == "__main__":
    ledger, project, directory, place, count = sys.argv[1:]
    shelf = FileShelf(Path(directory))
    system = AuditSystem.open(ledger, holders=[shelf])
    ids: list[str] = []
    with bind(identity="alice"):
        for action in ("parent", "child"):
            plan = system.plans.create(
                action=action, project=project, parent_plan_id=ids[0] if ids else None
            ).get(timeout=WAIT_S)
            system.plans.strategize(plan.plan_id, strategy="so").get(timeout=WAIT_S)
            shelf.put(plan.plan_id)
            ids.append(plan.plan_id)
        with bind(plan_id=ids[0]):
            system.sessions.create(actor_name="agent").get(timeout=WAIT_S)
        system.apply.execute(ids[0], works.wait_for_go)
        at_work = Path(f"{ledger}.sandboxes", ids[0], "late.txt")
        while not at_work.exists():
            pass
        print(*ids, flush=True)
        arm(place, int(count))
        system.plans.cancel(ids[0], reason="first").get(timeout=WAIT_S)
    system.close()
