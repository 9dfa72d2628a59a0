"""Work on a batch in steps, between which the other threads get the interpreter.

CPython takes it from a thread only after 5 ms, and a thread that sleeps gets it back tens of
microseconds after it is woken: whoever tells an event in the middle of a batch's work would wait
for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

GiveWay = Callable[[], None]
"""Lets go of the interpreter for a moment, or does nothing where somebody waits for the work."""

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


def in_steps(
    work: Callable[[_Item], _Done], items: Sequence[_Item], give_way: GiveWay | None
) -> list[_Done]:
    """Do the same with each item, in order.

    Args:
        give_way: called after each of them, unless all are to be done in one go.
    """
    if give_way is None:
        return list(map(work, items))
    done: list[_Done] = []
    for item in items:
        done.append(work(item))
        give_way()
    return done
