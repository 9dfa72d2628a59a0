"""The end of a system in the middle of something: it comes, and what ran is told to have ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain import AuditClosed, Phase, WorkFailed, bind
from tests.actors import works
from tests.actors.project import Project, eventually, is_running
from tests.scenarios.stories import WAIT_S, read


def ready(system: AuditSystem, project: Project) -> str:
    plan = system.plans.create(action="a", project=project.path).get(timeout=WAIT_S)
    system.plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
    return plan.plan_id


def test_closing_while_work_runs(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    before = project.state()
    ledger = tmp_path / "audit.db"
    system = AuditSystem.open(ledger)
    with bind(identity="alice"):
        plan_id = ready(system, project)
        running = system.apply.execute(plan_id, works.family)
    note = tmp_path / "audit.db.sandboxes" / plan_id / works.PIDS
    eventually(note.exists)
    pids = [int(pid) for pid in note.read_text().split()]
    system.close()

    assert not any(is_running(pid) for pid in pids)
    with pytest.raises(WorkFailed, match="the audit system was closed"):
        running.get(timeout=WAIT_S)
    with pytest.raises(AuditClosed):
        system.plans.get(plan_id)
    assert project.state() == before
    entries = read(ledger)
    assert [entry["type"] for entry in entries][-5:] == [
        "sandbox.created",
        "plan.phase_changed",
        "plan.errored",
        "sandbox.released",
        "audit.closed",
    ]
    assert {entry["user_identity"] for entry in entries[1:-1]} == {"alice"}
    with AuditSystem.open(ledger) as again:
        assert again.plans.get(plan_id).get(timeout=WAIT_S).phase is Phase.ERRORED
        assert again.sandboxes.list().get(timeout=WAIT_S) == ()


def test_closing_while_an_apply_is_validated(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    before = project.state()
    ledger = tmp_path / "audit.db"
    system = AuditSystem.open(ledger)
    plan_id = ready(system, project)
    system.apply.execute(plan_id, works.write).get(timeout=WAIT_S)
    mark = tmp_path / "validating"
    script = f"echo $$ > '{mark}.part'; mv '{mark}.part' '{mark}'; sleep 600"
    applying = system.apply.apply(plan_id, validations=[["sh", "-c", script]])
    eventually(mark.exists)
    system.close()
    assert not is_running(int(mark.read_text()))
    with pytest.raises(WorkFailed, match="the project is as it was"):
        applying.get(timeout=WAIT_S)
    assert project.state() == before
    assert [entry["type"] for entry in read(ledger)][-5:] == [
        "plan.apply_completed",
        "plan.phase_changed",
        "plan.errored",
        "sandbox.released",
        "audit.closed",
    ]


HOST = """
import sys, time
from pathlib import Path
from minutebook.actors import AuditSystem

ledger, project = sys.argv[1:3]
system = AuditSystem.open(ledger)
plan = system.plans.create(action="a", project=project).get()
system.plans.strategize(plan.plan_id, strategy="s").get()
system.apply.execute(plan.plan_id, "tests.actors.works:family")
system.flush()
print(plan.plan_id, flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["sys.stdin.readline()", "time.sleep(600)"], ids=["exit", "kill"])
def test_a_host_that_forgets_to_close_or_is_killed_leaves_no_process(
    tmp_path: Path, end: str
) -> None:
    project = Project(tmp_path / "project")
    ledger = tmp_path / "audit.db"
    host = subprocess.Popen(
        [sys.executable, "-c", HOST.format(end=end), str(ledger), str(project.path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with host:
        assert host.stdout is not None
        plan_id = host.stdout.readline().decode().strip()
        note = tmp_path / "audit.db.sandboxes" / plan_id / works.PIDS
        eventually(note.exists)
        pids = [int(pid) for pid in note.read_text().split()]
        assert all(is_running(pid) for pid in pids)
        if end.startswith("time"):
            host.send_signal(signal.SIGKILL)
        assert host.stdin is not None
        host.stdin.close()
        host.wait(timeout=WAIT_S)
    eventually(lambda: not any(is_running(pid) for pid in pids))
    types = [entry["type"] for entry in read(ledger)]
    if end.startswith("time"):
        assert types[-1] == "sandbox.created"
        # Nothing of it is stuck: who opens the trail next puts the plan right.
        with AuditSystem.open(ledger) as system:
            plan = system.plans.get(plan_id).get(timeout=WAIT_S)
            assert (plan.phase, plan.ended_in) == (Phase.ERRORED, Phase.EXECUTE)
            assert system.sandboxes.orphans().get(timeout=WAIT_S) == ()
        told = read(ledger)[len(types) :]
        ends = [entry for entry in told if entry["plan_id"] == plan_id]
        expected = ["plan.phase_changed", "plan.errored", "sandbox.released"]
        assert [entry["type"] for entry in ends] == expected
        assert ends[1]["payload"]["error_type"] == "WorkerDied"
    else:
        assert types[-3:] == ["plan.errored", "sandbox.released", "audit.closed"]
    assert project.branches() == ["main"]
    assert project.worktrees() == 1
