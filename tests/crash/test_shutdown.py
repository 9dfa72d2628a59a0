"""How a program may end, and what its events get: the table of the README, row by row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from signal import SIGABRT, SIGHUP, SIGINT, SIGKILL, SIGSEGV, SIGTERM

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain.entry import Entry
from tests.contract.trail import (
    ROOT,
    WAIT_S,
    check_trail,
    counted,
    entries_of,
    run_child,
    start_child,
)

CLASSES = {"buffered": 200, "journaled": 200, "committed": 100}


def numbers_of(entries: list[Entry], who: str) -> list[int]:
    return [number for name, number in counted(entries) if name == who]


def check_drained(path: Path, *, late: bool = False) -> None:
    """All of it is there, and the system's own end, without anybody's recovery."""
    entries = entries_of(path)
    check_trail(entries)
    for who, count in CLASSES.items():
        assert numbers_of(entries, who) == list(range(count))
    assert numbers_of(entries, "late") == [0] * late
    # One for each of the two producers of a system that has buffered something, too.
    assert [entry.type for entry in entries[-2:]] == ["audit.closed"] * 2


def check_recovered(path: Path) -> None:
    """What was buffered last may be lost; the next open commits the rest."""
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    for who in ("journaled", "committed"):
        assert numbers_of(entries, who) == list(range(CLASSES[who]))
    buffered = numbers_of(entries, "buffered")
    assert buffered == list(range(len(buffered)))
    assert [*path.with_name(path.name + ".journal.d").glob("*.owner")] == []


@pytest.mark.parametrize(
    ("how", "code", "late"),
    [
        ("end", 0, False),
        ("sys.exit", 3, False),
        ("exception", 1, False),
        ("sys.exit in a thread", 0, True),
        ("exception in a thread", 0, True),
        ("thread", 0, True),
        ("atexit", 0, True),
        ("logging", 0, True),
    ],
)
def test_an_end_that_python_sees_drains(tmp_path: Path, how: str, code: int, late: bool) -> None:
    path = tmp_path / "audit.db"
    child = run_child("tests.crash.ending", path, how)
    assert child.returncode == code, child.stderr
    assert child.stdout == ""
    check_drained(path, late=late)


def test_daemon_threads_are_refused_once_it_drains_and_lose_nothing_before(tmp_path: Path) -> None:
    """All whose tell returned is there; the thread may be ended before it learns the rest."""
    path = tmp_path / "audit.db"
    child = run_child("tests.crash.ending", path, "daemon thread")
    assert child.returncode == 0, child.stderr
    told = [line for line in child.stdout.splitlines() if line.isdigit()]
    check_drained(path)
    assert len(numbers_of(entries_of(path), "thread")) - len(told) in (0, 1)


@pytest.mark.parametrize(
    ("how", "code"), [("os._exit", 4), ("os.abort", -SIGABRT), ("segfault", -SIGSEGV)]
)
def test_an_end_that_python_does_not_see_keeps_what_is_journaled(
    tmp_path: Path, how: str, code: int
) -> None:
    path = tmp_path / "audit.db"
    assert run_child("tests.crash.ending", path, how).returncode == code
    check_recovered(path)


def end_by_signal(path: Path, how: str, number: int, *, times: int = 1) -> tuple[int, str]:
    child = start_child("tests.crash.ending", path, how)
    assert child.stdout is not None
    child.stdout.readline()
    for _ in range(times):
        child.send_signal(number)
    rest = child.stdout.read()  # communicate() forgets what readline() has read ahead
    _, errors = child.communicate(timeout=WAIT_S)
    assert "minutebook: " not in errors, errors
    return child.returncode, rest


@pytest.mark.parametrize("number", [SIGTERM, SIGHUP, SIGKILL])
def test_a_signal_without_handlers_is_a_crash(tmp_path: Path, number: int) -> None:
    path = tmp_path / "audit.db"
    assert end_by_signal(path, "no handlers", number) == (-number, "")
    check_recovered(path)


def test_ctrl_c_is_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    assert end_by_signal(path, "no handlers", SIGINT) == (-SIGINT, "")
    check_drained(path, late=True)


@pytest.mark.parametrize("number", [SIGTERM, SIGHUP])
@pytest.mark.parametrize("times", [1, 5])
def test_with_the_handlers_a_signal_drains_and_kills_as_ever(
    tmp_path: Path, number: int, times: int
) -> None:
    path = tmp_path / "audit.db"
    assert end_by_signal(path, "handlers", number, times=times) == (-number, "")
    check_drained(path)


def test_with_the_handlers_ctrl_c_is_the_same_exception(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    assert end_by_signal(path, "handlers", SIGINT) == (-SIGINT, "")
    check_drained(path, late=True)


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_with_the_handlers_a_signal_may_come_in_the_middle_of_a_tell(
    tmp_path: Path, number: int
) -> None:
    path = tmp_path / "audit.db"
    code, rest = end_by_signal(path, "handlers while telling", number)
    assert code == -number
    told = 1 + rest.count("\n")
    check_drained(path)
    # One more may have been taken whose tell had not come to the next line.
    assert len(numbers_of(entries_of(path), "thread")) - told in (0, 1)


def test_with_the_handlers_a_signal_may_come_in_the_middle_of_a_close(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    assert end_by_signal(path, "handlers while closing", SIGTERM)[0] == -SIGTERM
    check_drained(path)


@pytest.mark.parametrize(
    ("how", "number", "code"),
    [
        ("asyncio", SIGINT, -SIGINT),
        ("asyncio handler", SIGTERM, 0),
        ("asyncio handler", SIGINT, -SIGINT),
    ],
)
def test_asyncio_ends_as_it_would_have(tmp_path: Path, how: str, number: int, code: int) -> None:
    """Its own handler cancels the main task, or sets the host's event: both may still tell."""
    path = tmp_path / "audit.db"
    assert end_by_signal(path, how, number) == (code, "")
    check_drained(path, late=code == 0 or how == "asyncio")


def test_what_runs_at_exit_after_the_drain_is_refused(tmp_path: Path) -> None:
    """Functions that were registered before the system was opened run after it was closed."""
    path = tmp_path / "audit.db"
    child = run_child("tests.crash.ending", path, "atexit before")
    assert (child.returncode, child.stdout) == (0, "refused\n")
    check_drained(path)


INNER_TESTS = """
import os
import pytest
from minutebook.actors import AuditSystem
from tests.contract.trail import Counted

@pytest.fixture(scope="session")
def system():  # one for each worker, and closed by nobody
    return AuditSystem.open(os.environ["INNER_LEDGER"])

@pytest.mark.parametrize("number", range(20))
def test_one(system, number, worker_id):
    system.audit.tell(Counted(who=worker_id, number=number))
"""


def test_workers_of_pytest_xdist_share_a_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.db"
    (tmp_path / "test_inner.py").write_text(INNER_TESTS)
    monkeypatch.setenv("INNER_LEDGER", str(path))
    options = ["-n", "2", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    inner = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", "/dev/null", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert "20 passed" in inner.stdout, inner.stdout + inner.stderr
    entries = entries_of(path)
    check_trail(entries)
    assert sorted(number for _, number in counted(entries)) == list(range(20))
    assert {who for who, _ in counted(entries)} == {"gw0", "gw1"}


def test_a_jupyter_kernel_keeps_what_was_told(tmp_path: Path) -> None:
    """An interrupt leaves the system open; a kernel that is restarted is drained, or recovered."""
    path = tmp_path / "audit.db"
    child = run_child("tests.crash.notebook", path)
    assert (child.returncode, child.stdout) == (0, "interrupted\ncommitted\nrestarted\n"), (
        child.stdout + child.stderr
    )
    with AuditSystem.open(path):
        pass
    entries = entries_of(path)
    check_trail(entries)
    assert numbers_of(entries, "cell") == list(range(300))
    assert numbers_of(entries, "next kernel") == [0]
