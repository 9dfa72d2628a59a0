"""Threads that ask for long slices: only they, and only where nobody has chosen otherwise."""

import ctypes
import os
import platform
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.unhurried import be_unhurried
from tests.contract.trail import WAIT_S, wait_until

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine())
ATTRIBUTES = struct.Struct("<IIQiIQQQ")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or SCHED_GETATTR is None,
    reason="asks the scheduler of Linux, on x86-64 or ARM",
)


class Scheduling(NamedTuple):
    policy: int
    nice: int
    slice_ns: int


def scheduling_of(thread: int = 0) -> Scheduling:
    buffer = ctypes.create_string_buffer(ATTRIBUTES.size)
    assert SCHED_GETATTR is not None
    failed = ctypes.CDLL(None).syscall(
        ctypes.c_long(SCHED_GETATTR), thread, buffer, ATTRIBUTES.size, ctypes.c_uint(0)
    )
    assert failed == 0
    _, policy, _, nice, _, slice_ns, _, _ = ATTRIBUTES.unpack(buffer.raw)
    return Scheduling(policy, nice, slice_ns)


def in_thread(work: Callable[[], Scheduling]) -> Scheduling:
    found: list[Scheduling] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(WAIT_S)
    return found[0]


def unhurried() -> Scheduling:
    be_unhurried()
    return scheduling_of()


needs_slices = pytest.mark.skipif(
    sys.platform == "linux"
    and tuple(int(part) for part in platform.release().split(".")[:2]) < (6, 12),
    reason="threads have slices of their own since Linux 6.12",
)


@needs_slices
def test_a_thread_keeps_its_policy_and_niceness_and_gets_longer_slices() -> None:
    """The others of the process stay as they are."""
    before = scheduling_of()
    found = in_thread(unhurried)
    assert (found.policy, found.nice) == (before.policy, before.nice)
    assert found.slice_ns == 20_000_000
    assert scheduling_of() == before


def test_what_somebody_has_chosen_stays() -> None:
    """A thread of another policy is left alone."""

    def batch() -> Scheduling:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        before = scheduling_of()
        assert unhurried() == before
        return before

    assert in_thread(batch).policy == os.SCHED_BATCH


def test_a_machine_that_is_not_known_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of its system calls might mean something else."""
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    before = scheduling_of()
    assert in_thread(unhurried) == before


@needs_slices
def test_who_commits_is_unhurried_and_who_tells_is_not(tmp_path: Path) -> None:
    """Of a whole system."""
    mine = scheduling_of()
    with AuditSystem.open(tmp_path / "audit.db"):
        actor = next(one for one in threading.enumerate() if one.name.startswith("AuditActor"))
        assert actor.native_id is not None
        thread = actor.native_id
        wait_until(lambda: scheduling_of(thread).slice_ns == 20_000_000)
        assert scheduling_of() == mine
