"""A plan whose worker died is put right by whoever lives; a living process's plan is its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.appdb import AppDatabase
from minutebook.domain import Phase, WorkFailed
from minutebook.domain.plan import ProcessingState
from tests.actors import works
from tests.actors.project import Project, eventually, is_running
from tests.scenarios.stories import read

WAIT_S = 60.0

HOST = """
import sys
from minutebook.actors import AuditSystem
from minutebook.domain import bind
from tests.actors import works

system = AuditSystem.open(sys.argv[1])
with bind(identity="alice"):
    plan = system.plans.create(action="sleep", project=sys.argv[2]).get(timeout=60)
    system.plans.strategize(plan.plan_id, strategy="soundly").get(timeout=60)
    running = system.apply.execute(plan.plan_id, works.family)
    print(plan.plan_id, flush=True)
    running.get(timeout=600)
"""


def start_host(ledger: Path, project: Project) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        [sys.executable, "-c", HOST, str(ledger), str(project.path)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )


def worker_of(ledger: Path, plan_id: str) -> dict[str, Any] | None:
    with closing(AppDatabase(ledger.with_name("audit.db.app.db"))) as database:
        return database.row("SELECT * FROM plan_workers WHERE plan_id = ?", (plan_id,))


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_a_plan_is_seized_only_from_a_dead_process_and_with_all_that_it_left(
    tmp_path: Path,
) -> None:
    project, ledger = Project(tmp_path / "project"), tmp_path / "audit.db"
    with AuditSystem.open(ledger) as system, start_host(ledger, project) as host:
        assert host.stdout is not None
        plan_id = host.stdout.readline().strip()
        note = tmp_path / "audit.db.sandboxes" / plan_id / works.PIDS
        eventually(note.exists)
        pids = [int(pid) for pid in note.read_text().split()]

        # While the other process lives, whoever looks leaves its plan alone.
        recoverer = system._recoverer
        assert recoverer is not None
        recoverer.look()
        with AuditSystem.open(ledger) as third:
            plan = third.plans.get(plan_id).get(timeout=WAIT_S)
        assert (plan.phase, plan.processing_state) == (Phase.EXECUTE, ProcessingState.PROCESSING)
        assert all(is_running(pid) for pid in pids)
        worker = worker_of(ledger, plan_id)
        assert worker is not None
        assert worker["producer"] != system.producer
        assert os.getpgid(pids[1]) == worker["pid"]

        # It dies, and with it the supervisor that would have ended what the work has started.
        bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        host.send_signal(signal.SIGSTOP)
        os.kill(worker["pid"], signal.SIGKILL)
        # While the host is still there: once it is gone, they may be ended at any moment.
        assert all(is_running(pid) for pid in pids[1:])
        host.kill()
        host.wait(timeout=WAIT_S)

        # Nobody asks for it: the thread that looks now and then finds it, and may do so at once.
        eventually(lambda: worker_of(ledger, plan_id) is None)
        assert not any(is_running(pid) for pid in pids)
        assert is_running(bystander.pid)
        bystander.kill()
        bystander.wait(timeout=WAIT_S)
        plan = system.plans.get(plan_id).get(timeout=WAIT_S)
        assert (plan.phase, plan.ended_in) == (Phase.ERRORED, Phase.EXECUTE)
        assert plan.error is not None
        assert "2 of its processes were left" in plan.error
        assert system.sandboxes.list().get(timeout=WAIT_S) == ()
        assert not any((tmp_path / "audit.db.sandboxes").glob(f"{plan_id}*"))
        assert (project.branches(), project.worktrees()) == (["main"], 1)
        # What comes from here is its own business again.
        again = system.plans.create(action="a", project=project.path).get(timeout=WAIT_S)
        system.plans.strategize(again.plan_id, strategy="s").get(timeout=WAIT_S)
        with pytest.raises(WorkFailed):
            system.apply.execute(again.plan_id, works.fail).get(timeout=WAIT_S)
        assert system.plans.get(again.plan_id).get(timeout=WAIT_S).phase is Phase.ERRORED
        assert worker_of(ledger, again.plan_id) is None
    ends = [entry["type"] for entry in read(ledger) if entry["plan_id"] == plan_id][-3:]
    assert ends == ["plan.phase_changed", "plan.errored", "sandbox.released"]
