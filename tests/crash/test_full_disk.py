"""A real full disk, and a real foreign lock."""

import json
import re
import time
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from tests.contract.trail import (
    WAIT_S,
    Counted,
    check_trail,
    counted,
    entries_of,
    run_child,
    start_child,
)


def test_nothing_is_lost_when_there_is_room_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    child = run_child("tests.crash.full_disk", path, "recover")
    assert (child.returncode, child.stderr.count("Traceback")) == (0, 0), child.stderr
    degraded, after = child.stdout.splitlines()
    assert "check the disk" in json.loads(degraded)["reason"]
    assert json.loads(degraded)["backlog"] > 0
    assert after == "ok 0"
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(3000)]
    assert [entries[0].type, entries[-1].type] == ["audit.opened", "audit.closed"]


def test_closing_on_a_full_disk_counts_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    child = run_child("tests.crash.full_disk", path, "close")
    assert child.returncode == 0, child.stderr
    missing = int(child.stdout.splitlines()[-1])
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(3000 - missing)]
    with AuditSystem.open(path) as again:
        again.audit.tell(Counted(who="again", number=0))
    check_trail(entries_of(path))


def test_a_forgotten_close_on_a_full_disk_ends_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    child = run_child("tests.crash.full_disk", path, "forget")
    assert child.returncode == 0
    (line,) = [line for line in child.stderr.splitlines() if line.startswith("minutebook: ")]
    said = re.search(r"closed with (\d+) events that are not in the ledger", line)
    assert said is not None
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(3000 - int(said[1]))]


@pytest.mark.parametrize("busy_timeout", [0.1, 30.0], ids=["tried again", "waited for"])
def test_a_foreign_transaction_is_outwaited(tmp_path: Path, busy_timeout: float) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, busy_timeout=busy_timeout) as system:
        system.audit.ask(Counted(who="x", number=0)).get(timeout=WAIT_S)
        # A process of its own: two SQLite libraries in one do not see each other's locks.
        other = start_child("tests.processes.transaction", path, 1.5)
        assert other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        futures = [system.audit.ask(Counted(who="x", number=n)) for n in range(1, 50)]
        if busy_timeout < 1:
            while system.health().status != "degraded":
                assert other.poll() is None
                time.sleep(0.01)
            assert "write lock" in (system.health().reason or "")
        indexes = [future.get(timeout=WAIT_S).log_index for future in futures]
        assert other.communicate(timeout=WAIT_S) == ("", "")
        assert indexes == list(range(indexes[0], indexes[0] + 49))
        assert system.health().status == "ok"
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(50)]
