"""Hosts that make processes, each of which opens a system of its own and closes none."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain.entry import Entry
from tests.contract.trail import check_trail, counted, entries_of, run_child
from tests.processes.hosts import EVENTS, TASKS

METHODS = ["fork", "spawn", "forkserver"]


def run_host(path: Path, host: str, method: str) -> list[Entry]:
    child = run_child("tests.processes.hosts", path, host, method)
    assert (child.returncode, child.stderr) == (0, "")
    entries = entries_of(path)
    check_trail(entries)
    return entries


def check_all_told(entries: list[Entry]) -> None:
    numbers: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.type == "trail.counted" and entry.payload["who"] != "late":
            numbers[entry.payload["who"]].append(entry.payload["number"])
            assert entry.user_identity == f"user {entry.payload['who']}"
    assert numbers == {str(task): list(range(EVENTS)) for task in range(TASKS)}


def ended_in_order(entries: list[Entry]) -> bool:
    types = [entry.type for entry in entries]
    return types.count("audit.opened") == types.count("audit.closed")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("host", ["process", "pool", "executor"])
def test_workers_that_end_have_committed_all(tmp_path: Path, host: str, method: str) -> None:
    """Multiprocessing ends them by os._exit, past atexit, and they drain all the same."""
    entries = run_host(tmp_path / "audit.db", host, method)
    check_all_told(entries)
    assert ended_in_order(entries)


@pytest.mark.parametrize("host", ["process that fails", "pool, workers renewed"])
def test_workers_that_fail_or_are_renewed_have_committed_all(tmp_path: Path, host: str) -> None:
    entries = run_host(tmp_path / "audit.db", host, "fork")
    check_all_told(entries)
    assert ended_in_order(entries)


def test_workers_that_are_terminated_leave_journals_that_are_recovered(tmp_path: Path) -> None:
    """`with Pool()` ends its workers by SIGTERM."""
    path = tmp_path / "audit.db"
    run_host(path, "pool, terminated", "fork")
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    check_all_told(entries)


def test_threads_that_outlive_the_work_may_tell(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    check_all_told(run_host(path, "process with a thread", "fork"))
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    late = [number for who, number in counted(entries) if who == "late"]
    assert sorted(late) == list(range(TASKS))
