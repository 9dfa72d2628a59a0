"""A host that dies with its hands full: ``python -m tests.cli.crashing LEDGER PROJECT``.

One plan is being executed, and another one being cancelled. The process that looks after the
work is killed first, so that what the work has started goes on. Says the ids of the plans, and
the pids of what goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from minutebook.actors import AuditSystem
from minutebook.actors.appdb import AppDatabase
from minutebook.domain import bind
from tests.actors import works
from tests.crash import cancelling

WAIT_S = 60.0


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


if __name__ == "__main__":
    ledger, project = Path(sys.argv[1]), Path(sys.argv[2])
    system = AuditSystem.open(ledger)
    with bind(identity="alice"):
        ids = []
        for work in (works.family, works.wait_for_go):
            plan = system.plans.create(action="a", project=project).get(timeout=WAIT_S)
            system.plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
            system.apply.execute(plan.plan_id, work)
            ids.append(plan.plan_id)
        sandboxes = Path(f"{ledger}.sandboxes")
        wait_for(sandboxes / ids[0] / works.PIDS)
        wait_for(sandboxes / ids[1] / "late.txt")
    worker = AppDatabase(Path(f"{ledger}.app.db")).row(
        "SELECT pid FROM plan_workers WHERE plan_id = ?", (ids[0],)
    )
    assert worker is not None
    supervisor: int = worker["pid"]
    pids = (sandboxes / ids[0] / works.PIDS).read_text().split()
    print(*ids, *pids[1:], flush=True)
    die = cancelling.die

    def die_badly() -> None:
        os.kill(supervisor, signal.SIGKILL)
        die()

    cancelling.die = die_badly
    cancelling.arm("after fence", 1)
    system.plans.cancel(ids[1], reason="first").get(timeout=WAIT_S)
