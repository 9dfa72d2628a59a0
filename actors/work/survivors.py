"""What is left of a plan's work whose host died: its processes, found and killed.

The supervisor in the child ends all of them when the host dies; this is for the case that it
was killed too. Nothing is killed that is not proven to be the work's: each of its processes
has the work's mark, a random text, in its environment, or is in the session that its first
process began, which counts while that process is the one whose start was noted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final, NamedTuple

MARK_VARIABLE: Final = "WORK_OF_MINUTEBOOK"
"""Environment variable of each process of a work, with the work's mark."""

KILL_S_MAX: Final = 2.0
"""How long processes that do not die (in uninterruptible sleep) are waited for."""


class _Process(NamedTuple):
    pid: int
    state: str
    session: int
    started: int


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; ``None`` where that is not known."""
    process = _look_at(pid)
    return None if process is None else process.started


def kill_survivors(mark: str | None, leader: int | None, leader_started: int | None) -> int:
    """Kill what is left of a work, and return how many processes it was.

    Args:
        mark: the work's; ``None`` when it came to no process.
        leader: pid of its first process.
        leader_started: when that began, as from `start_time`.
    """
    if mark is None:
        return 0
    killed: set[int] = set()
    deadline = time.monotonic() + KILL_S_MAX
    while time.monotonic() < deadline:
        found = [pid for pid in _pids() if _kill(pid, mark, leader, leader_started)]
        if not found:
            break
        killed |= set(found)
        time.sleep(0.002)
    return len(killed)


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def _kill(pid: int, mark: str, leader: int | None, leader_started: int | None) -> bool:
    """Kill a process when it is the work's; say whether it was."""
    if pid == os.getpid():
        return False
    try:
        # Held before it is looked at: the number cannot pass to another process meanwhile.
        descriptor = os.pidfd_open(pid)
    except (OSError, AttributeError):
        return False
    try:
        process = _look_at(pid)
        if process is None or process.state == "Z":
            return False
        in_session = (
            process.session == leader
            and leader_started is not None
            and start_time(process.session) == leader_started
        )
        if not in_session and not _has_mark(pid, mark):
            return False
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return True
    finally:
        os.close(descriptor)


def _look_at(pid: int) -> _Process | None:
    try:
        # The name in brackets may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return _Process(pid, fields[0].decode(), int(fields[3]), int(fields[19]))


def _has_mark(pid: int, mark: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{MARK_VARIABLE}={mark}".encode() in environment.split(b"\0")
