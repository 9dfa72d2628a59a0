"""A plan is cancelled from another process than the one that works on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain import Phase
from tests.actors import works
from tests.actors.project import Project, eventually, is_running
from tests.contract.trail import WAIT_S, entries_of
from tests.processes.test_plan_workers import start_host, worker_of

APPLYING = """
import sys
from minutebook.actors import AuditSystem
from minutebook.domain import WorkFailed, bind
from tests.actors import works

system = AuditSystem.open(sys.argv[1])
with bind(identity="alice"):
    plan = system.plans.create(action="a", project=sys.argv[2]).get(timeout=60)
    system.plans.strategize(plan.plan_id, strategy="s").get(timeout=60)
    system.apply.execute(plan.plan_id, works.add_one).get(timeout=60)
    script = "touch $0; while [ ! -e $0.go ]; do sleep 0.02; done"
    waits = ["sh", "-c", script, sys.argv[3]]
    print(plan.plan_id, flush=True)
    try:
        system.apply.apply(plan.plan_id, validations=[waits]).get(timeout=60)
        print("applied")
    except WorkFailed:
        print("stopped")
system.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_work_of_another_process_is_ended_and_its_host_goes_on(tmp_path: Path) -> None:
    project, ledger = Project(tmp_path / "project"), tmp_path / "audit.db"
    with AuditSystem.open(ledger) as system, start_host(ledger, project) as host:
        assert host.stdout is not None
        plan_id = host.stdout.readline().strip()
        sandbox = tmp_path / "audit.db.sandboxes" / plan_id
        eventually((sandbox / works.PIDS).exists)
        pids = [int(pid) for pid in (sandbox / works.PIDS).read_text().split()]
        cancelled = system.plans.cancel(plan_id, reason="r", deadline=WAIT_S).get(timeout=WAIT_S)
        assert not any(is_running(pid) for pid in pids)
        released = {(held.kind, held.id) for held in cancelled.released}
        assert {("process", str(pid)) for pid in pids} < released
        assert {("git_worktree", str(sandbox)), ("temp_file", f"{sandbox}.tmp")} < released
        assert (cancelled.failed, cancelled.pending) == ((), ())
        assert worker_of(ledger, plan_id) is None
        assert list((tmp_path / "audit.db.sandboxes").iterdir()) == []
        # It was told that its work had ended, and lives.
        assert host.wait(timeout=WAIT_S) == 1
    (entry,) = [entry for entry in entries_of(ledger) if entry.type == "plan.cancelled"]
    assert entry.plan_id == plan_id
    assert not [entry for entry in entries_of(ledger) if entry.type == "plan.errored"]


@pytest.mark.parametrize("policy", ["rollback", pytest.param("wait", marks=pytest.mark.slow)])
def test_an_apply_of_another_process(tmp_path: Path, policy: str) -> None:
    project, ledger = Project(tmp_path / "project"), tmp_path / "audit.db"
    mark = tmp_path / "validating"
    head = project.head
    with (
        AuditSystem.open(ledger) as system,
        subprocess.Popen(
            [sys.executable, "-c", APPLYING, str(ledger), str(project.path), str(mark)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            text=True,
        ) as host,
    ):
        assert host.stdout is not None
        plan_id = host.stdout.readline().strip()
        eventually(mark.exists)
        asked = system.plans.cancel(plan_id, reason="r", policy=policy)  # type: ignore[arg-type]
        eventually(
            lambda: system.plans.cancellation(plan_id).get(timeout=WAIT_S).phase is Phase.APPLY
        )
        mark.with_name("validating.go").touch()
        cancelled = asked.get(timeout=WAIT_S)
        assert host.communicate(timeout=WAIT_S)[0].strip() == (
            "applied" if policy == "wait" else "stopped"
        )
        plan = system.plans.get(plan_id).get(timeout=WAIT_S)
    assert cancelled.apply_outcome == ("applied" if policy == "wait" else "rolled_back")
    assert plan.phase is (Phase.APPLIED if policy == "wait" else Phase.CANCELLED)
    assert (project.head != head) == (policy == "wait")
    assert project.branches() == ["main"]


def test_two_processes_cancel_one_plan(tmp_path: Path) -> None:
    """Each gets the one result, and one entry is told."""
    project, ledger = Project(tmp_path / "project"), tmp_path / "audit.db"
    with AuditSystem.open(ledger) as first, AuditSystem.open(ledger) as second:
        for _ in range(5):
            plan = first.plans.create(action="a", project=project.path).get(timeout=WAIT_S)
            asked = [
                system.plans.cancel(plan.plan_id, reason=f"{number}")
                for number, system in enumerate((first, second))
            ]
            answers = [future.get(timeout=WAIT_S) for future in asked]
            assert answers[0] == answers[1]
    told = [entry.plan_id for entry in entries_of(ledger) if entry.type == "plan.cancelled"]
    assert len(told) == len(set(told)) == 5
