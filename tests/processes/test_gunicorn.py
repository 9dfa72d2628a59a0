"""A pre-fork server: each worker has a system of its own, and workers come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from tests.contract.trail import check_trail, counted, entries_of
from tests.processes.serving import ask_while_workers_come_and_go, gunicorn

REQUESTS = 120


@pytest.mark.parametrize(
    ("options", "opens"),
    [([], "import"), (["--preload"], "request")],
    ids=["each worker imports", "preloaded, opened with the first request"],
)
def test_each_answered_request_is_told_once(tmp_path: Path, options: list[str], opens: str) -> None:
    """By SIGHUP, by SIGTERM to a worker, by ``max_requests``: all drain at their end."""
    path = tmp_path / "audit.db"
    with gunicorn(tmp_path, "--max-requests=25", *options, opens=opens) as (master, socket):
        answered, pids = ask_while_workers_come_and_go(master, socket, REQUESTS)
    log = (tmp_path / "gunicorn.log").read_text()
    assert len(pids) > 4, log
    assert len(answered) > REQUESTS // 2, log
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    numbers = [number for _, number in counted(entries)]
    assert len(set(numbers)) == len(numbers)
    assert set(answered) <= set(numbers)
    for entry in entries:
        if entry.type == "trail.counted":
            assert entry.user_identity == f"user {entry.payload['number']}"
    assert "Traceback" not in log
