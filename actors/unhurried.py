"""Leaving the processor to whoever wakes: for a process that works behind others."""

from __future__ import annotations

import os
import platform
import struct
import sys
from typing import Final

from minutebook.actors.ledger.foreign import load_ctypes

_SLICE_NS: Final = 20_000_000

_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274}
# Of `struct sched_attr`: size, policy, flags, nice, priority, runtime, deadline, period.
_ATTRIBUTES: Final = struct.Struct("<IIQiIQQQ")


def be_unhurried() -> None:
    """Ask for long slices of the processor, for which the others need not wait.

    Since Linux 6.12 a thread that wakes takes the processor at once from one with longer slices
    than its own (3 ms, unless it asks for others), which keeps its share. Without this, a caller
    of ``tell`` that wakes on the processor where the writer has just begun waits for up to 4 ms,
    even if the other processor is idle: with a commit every 10 ms p99 of the open loop was 1,200
    us, and is 110. Does nothing where the kernel or the machine does not know it.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return
    policy = os.sched_getscheduler(0)
    if policy != os.SCHED_OTHER:
        # Somebody has chosen how it is to run.
        return
    ctypes = load_ctypes()
    if ctypes is None:
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, policy, 0, nice, 0, _SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(ctypes.c_long(number), 0, attributes, 0)
