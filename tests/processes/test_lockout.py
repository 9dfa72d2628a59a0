"""Lock-out over processes: however many try at once, and whatever becomes of them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain import AuthenticationFailed
from tests.contract.trail import WAIT_S, check_trail, entries_of, start_child

PASSWORD = "correct horse battery"


def test_two_who_guess_at_once_have_the_tries_of_one_and_a_kill_wins_none(tmp_path: Path) -> None:
    """Five are checked, all others are locked; so it is after SIGKILL, and after a close."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    children = [start_child("tests.processes.attacking", path, "alice", 6, "kill") for _ in "ab"]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, errors = child.communicate(timeout=WAIT_S)
        assert child.returncode == -signal.SIGKILL, errors
    for _ in range(2):
        with AuditSystem.open(path) as system:
            with pytest.raises(AuthenticationFailed):
                system.auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S)
    with AuditSystem.open(path) as system:
        system.auth.unlock_user("alice").get(timeout=WAIT_S)
        assert system.auth.authenticate("alice", PASSWORD).get(timeout=WAIT_S).name == "alice"
    entries = entries_of(path)
    check_trail(entries)
    reasons = [entry.payload["reason"] for entry in entries if entry.type == "auth.failed"]
    assert sorted(reasons) == ["bad_credential"] * 5 + ["locked"] * 9
