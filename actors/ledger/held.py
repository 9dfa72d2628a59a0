"""Descriptors whose locks are this process's own, and not those of its forked children.

A child has a copy of each: it would hold the lock on when its parent has let go or died.
"""

from __future__ import annotations

import os
from typing import Final

_held: Final[set[int]] = set()


def hold(descriptor: int) -> None:
    """Have a descriptor closed in every child that is forked before `let_go`."""
    _held.add(descriptor)


def let_go(descriptor: int) -> None:
    """Close it."""
    _held.discard(descriptor)
    os.close(descriptor)


def _let_go_in_child() -> None:
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
