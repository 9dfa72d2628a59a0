"""The two loops: closed (as fast as it goes) and open (paced, timed from the intended start).

A closed loop alone hides stalls: while the caller waits for one call, it does not make those
that a real load would have made meanwhile. The open loop has a time at which each call is due,
whatever the calls before it took, and counts from there.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

PER_SECOND = 2000
"""Pace of the open loop."""

_SPIN_NS = 40_000
_PR_SET_TIMERSLACK = 29


@dataclass
class Sample:
    """What a loop found."""

    taken_ns: array[int]
    """Of each call, in order."""
    elapsed_ns: int
    """Of all of them."""
    begun_at_us: int
    """Wall clock, microseconds since the epoch."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Errors that `emit` raised, by their name."""


def closed(emit: Callable[[], object], calls: int, seconds: float) -> Sample:
    """Call as often as asked for, or until the time is over."""
    # No object of the measurement is tracked by the collector, and all room is there before.
    clock, taken, rejected = time.perf_counter_ns, array("q", bytes(8 * calls)), Counter[str]()
    gc.collect()
    begun_at_us = time.time_ns() // 1000
    begun = start = clock()
    deadline = begun + round(seconds * 1e9)
    made = 0
    while made < calls and start < deadline:
        start = clock()
        try:
            emit()
        except Exception as error:  # noqa: BLE001 a peer that refuses is a result
            rejected[type(error).__name__] += 1
        taken[made] = clock() - start
        made += 1
    return Sample(taken[:made], clock() - begun, begun_at_us, rejected)


def paced(emit: Callable[[], object], seconds: float) -> Sample:
    """Call 2,000 times a second; stops at twice the time with a peer that cannot keep up."""
    calls, interval_ns = round(PER_SECOND * seconds), 1_000_000_000 // PER_SECOND
    clock, taken, rejected = time.perf_counter_ns, array("q", bytes(8 * calls)), Counter[str]()
    gc.collect()
    with exact_sleep():
        begun_at_us = time.time_ns() // 1000
        begun = clock()
        due, deadline, made = begun, begun + round(2e9 * seconds), 0
        while made < calls and due < deadline:
            due += interval_ns
            left_ns = due - clock()
            if left_ns > _SPIN_NS:
                time.sleep((left_ns - _SPIN_NS) / 1e9)
            while (now := clock()) < due:
                pass
            if now > deadline:
                break
            try:
                emit()
            except Exception as error:  # noqa: BLE001 a peer that refuses is a result
                rejected[type(error).__name__] += 1
            taken[made] = clock() - due
            made += 1
        elapsed_ns = clock() - begun
    return Sample(taken[:made], elapsed_ns, begun_at_us, rejected)


@contextlib.contextmanager
def exact_sleep() -> Iterator[None]:
    """Have this thread's sleeps end within a microsecond, not within 50, where Linux lets us.

    Spinning instead would hold the interpreter's lock, and keep a peer's thread from working.
    """
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_TIMERSLACK, 1000, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_TIMERSLACK, 0, 0, 0, 0)
