"""`minutebook demo cancel`, run as a user runs it."""

from __future__ import annotations

from pathlib import Path

from tests.actors.project import is_running
from tests.cli.test_demo import demo, entries


def test_a_parent_and_its_child_are_cancelled_and_nothing_is_left(tmp_path: Path) -> None:
    ledger = tmp_path / "trail.db"
    result = demo("cancel", "--ledger", ledger)
    assert (result.returncode, result.stderr) == (0, "")
    told = {entry.plan_id: entry for entry in entries(ledger) if entry.type == "plan.cancelled"}
    (parent,) = (entry for entry in told.values() if entry.causation_id is None)
    (child,) = (entry for entry in told.values() if entry is not parent)
    assert child.causation_id == parent.id
    assert parent.payload["child_plans"]["cancelled"] == [child.plan_id]
    kinds = [held["kind"] for held in parent.payload["released"]]
    assert {"git_worktree", "git_branch", "temp_file", "session", "child_plan"} < set(kinds)
    processes = [held["id"] for held in parent.payload["released"] if held["kind"] == "process"]
    assert len(processes) >= 2
    assert not any(is_running(int(pid)) for pid in processes)
    assert parent.payload["failed"] == parent.payload["pending"] == []
    out = result.stdout
    assert f"type            plan.cancelled (schema version {parent.schema_version})" in out
    proof = out.partition("What is left:")[2]
    assert proof.count("[") == 1
    assert ": 0\n    sandboxes: 0\n" in proof
    assert list((tmp_path / "trail.db.sandboxes").iterdir()) == []

    foreign = tmp_path / "foreign.db"
    foreign.write_bytes(b"no ledger")
    assert demo("cancel", "--ledger", foreign).returncode == 2
