"""``minutebook doctor``: what a crash left is found and released, and nothing else is touched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.appdb import AppDatabase
from minutebook.actors.work.survivors import MARK_VARIABLE
from tests.actors import works
from tests.actors.project import Project, eventually, is_running
from tests.contract.trail import ROOT, WAIT_S, entries_of, start_child

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return Project(tmp_path / "project")


def doctor(ledger: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "minutebook.actors.cli", "doctor", str(ledger), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )


def files_of(directory: Path) -> dict[str, bytes]:
    # Not SQLite's list of who reads.
    return {
        str(path): sha256(path.read_bytes()).digest()
        for path in directory.rglob("*")
        if path.is_file() and ".git" not in path.parts and not path.name.endswith("-shm")
    }


def test_what_a_crash_left_is_found_and_released(tmp_path: Path, project: Project) -> None:
    place = tmp_path / "trail"
    place.mkdir()
    ledger, sandboxes = place / "audit.db", place / "audit.db.sandboxes"
    # Of an earlier time: its plan has ended, and nobody has taken its sandbox away.
    with AuditSystem.open(ledger) as system:
        plan = system.plans.create(action="a", project=project.path).get(timeout=WAIT_S)
        system.plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
        done = system.apply.execute(plan.plan_id, ["true"]).get(timeout=WAIT_S)
    with closing(AppDatabase(place / "audit.db.app.db")) as database:
        database.execute("UPDATE plans SET phase = 'errored', processing_state = 'failed'")
    host = start_child("tests.cli.crashing", ledger, project.path)
    out, errors = host.communicate(timeout=WAIT_S)
    assert host.returncode == -signal.SIGKILL, errors
    executed, cancelled, *pids = out.split()
    assert len(pids) == 2
    assert all(is_running(int(pid)) for pid in pids)
    # What looks like ours, and is not.
    foreign = subprocess.Popen(["sleep", "600"], env={MARK_VARIABLE: "0" * 32})
    project.git("worktree", "add", "-q", "-b", "minutebook/foreign", str(sandboxes / "foreign"))
    try:
        before = files_of(tmp_path)
        found = doctor(ledger)
        assert (found.returncode, found.stderr) == (1, "")
        listed = json.loads(doctor(ledger, "--json").stdout)
        assert files_of(tmp_path) == before
        assert {(each["ailment"], each["id"]) for each in listed} == {
            ("unended_cancellation", cancelled),
            ("stuck_plan", executed),
            *(("stray_process", pid) for pid in pids),
            ("orphan_worktree", done.sandbox.path),
        }
        assert len(found.stdout.splitlines()) == len(listed) == 5
        assert f"found: process of a dead host: {pids[0]}: process {pids[0]} works on plan" in (
            found.stdout
        )
        assert all(is_running(int(pid)) for pid in pids)

        fixed = doctor(ledger, "--fix")
        assert fixed.returncode == 0, fixed.stderr
        said = [line.partition(":")[0] for line in fixed.stdout.splitlines()]
        assert said == ["released"] * 5
        healthy = doctor(ledger)
        assert (healthy.returncode, healthy.stdout) == (0, "nothing is left of any crash\n")
        assert not any(is_running(int(pid)) for pid in pids)
        assert is_running(foreign.pid)
        assert project.branches() == ["main", "minutebook/foreign"]
        assert [path.name for path in sandboxes.iterdir()] == ["foreign"]
    finally:
        foreign.kill()
        foreign.wait(timeout=WAIT_S)
    entries = entries_of(ledger)
    assert [e.plan_id for e in entries if e.type == "plan.cancelled"] == [cancelled]
    assert [e.plan_id for e in entries if e.type == "plan.errored"] == [executed]
    killed = [e for e in entries if e.source == "minutebook-doctor/doctor"]
    assert {e.payload["resource_id"] for e in killed} == set(pids)
    assert {e.plan_id for e in killed} == {executed}


def test_a_living_host_is_left_alone(tmp_path: Path, project: Project) -> None:
    ledger = tmp_path / "audit.db"
    with AuditSystem.open(ledger) as system:
        plan = system.plans.create(action="a", project=project.path).get(timeout=WAIT_S)
        system.plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
        running = system.apply.execute(plan.plan_id, works.wait_for_go)
        sandbox = tmp_path / "audit.db.sandboxes" / plan.plan_id
        eventually((sandbox / "late.txt").exists)
        for options in ((), ("--fix",)):
            found = doctor(ledger, *options)
            assert (found.returncode, found.stdout) == (0, "nothing is left of any crash\n")
        (sandbox / works.GO).touch()
        assert running.get(timeout=WAIT_S).files_changed == 1


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    for options in ((), ("--fix",)):
        found = doctor(tmp_path / "nothing.db", *options)
        assert (found.returncode, found.stdout) == (2, "")
        assert "there is no ledger at" in found.stderr
    assert list(tmp_path.iterdir()) == []
