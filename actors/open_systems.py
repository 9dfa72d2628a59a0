"""The systems that this process has open: drained at its end, left alone in its children."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Protocol

from minutebook.domain.errors import UncommittedEvents


class OpenSystem(Protocol):
    """What an audit system is to this module."""

    def close_at_exit(self) -> None:
        """Commit what was told; raises `UncommittedEvents` when that cannot be in time."""

    def leave_to_parent(self) -> None:
        """Refuse everything: this is a forked child, where the system's threads are not."""


# Not weak: what was told to a system that the host has let go of is committed all the same.
_open: dict[int, OpenSystem] = {}
_registered = False


def remember(system: OpenSystem) -> None:
    """Drain a system when the interpreter ends, unless it is forgotten before."""
    global _registered
    if not _registered:
        atexit.register(_close_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_leave_all_to_parent)
        _registered = True
    _open[id(system)] = system


def forget(system: OpenSystem) -> None:
    """Take a system off the list: it is closed."""
    _open.pop(id(system), None)


def _close_all() -> None:
    for system in list(_open.values()):
        try:
            system.close_at_exit()
        except UncommittedEvents as error:
            # Not by logging, which may be shut down already: the loss must be seen.
            sys.stderr.write(f"minutebook: {error}\n")


def _leave_all_to_parent() -> None:
    for system in list(_open.values()):
        system.leave_to_parent()
    _open.clear()
