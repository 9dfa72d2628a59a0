"""The systems that this process has open: drained at its end, begun anew in its children."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import Final, Protocol

from minutebook.domain.errors import UncommittedEvents


class OpenSystem(Protocol):
    """What an audit system is to this module."""

    def close_at_exit(self) -> None:
        """Commit what was told; raises `UncommittedEvents` when that cannot be in time."""

    def flush_at_exit(self) -> None:
        """Commit what was told as far as it can be in time, and stay open."""

    def leave_to_parent(self) -> None:
        """Close what was inherited: this is a forked child, where the system's threads are not.

        It goes on with the first use; it is then remembered again, and until then there is
        nothing to commit.
        """


# Not weak: what was told to a system that the host has let go of is committed all the same.
_open: dict[int, OpenSystem] = {}
_registered = False
_finalized_in: int | None = None

# multiprocessing runs those of a host, which may tell, from high to low; its own end at -100.
_AFTER_THE_HOSTS: Final = -1000


def remember(system: OpenSystem) -> None:
    """Drain a system when the interpreter ends, unless it is forgotten before."""
    global _registered
    if not _registered:
        atexit.register(_close_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_leave_all_to_parent)
        _registered = True
    _open[id(system)] = system
    _drain_in_multiprocessing_child()


def forget(system: OpenSystem) -> None:
    """Take a system off the list: it is closed."""
    _open.pop(id(system), None)


def _drain_in_multiprocessing_child() -> None:
    # A process of multiprocessing ends by os._exit behind finalizers of its own: atexit is not
    # run there. Loaded by now in such a process, and in others only at the host's expense.
    global _finalized_in
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None:
        return
    if _finalized_in != os.getpid():
        util.Finalize(None, _end_in_multiprocessing_child, exitpriority=_AFTER_THE_HOSTS)
        _finalized_in = os.getpid()


def _end_in_multiprocessing_child() -> None:
    # Threads that are waited for after this may go on to tell; what they journal is recovered.
    others = {threading.current_thread(), threading.main_thread()}
    if any(not thread.daemon for thread in set(threading.enumerate()) - others):
        for system in list(_open.values()):
            system.flush_at_exit()
    else:
        _close_all()


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
