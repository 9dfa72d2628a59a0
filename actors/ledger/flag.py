"""An event that can be set by a signal handler in the middle of its thread setting it.

`threading.Event` guards itself with a lock written in Python: a handler that sets an event
which its own thread is just setting would wait for itself, for ever.
"""

from __future__ import annotations

import contextlib
import threading


class Flag:
    """What `threading.Event` is, made of one lock written in C, which is free while it is set."""

    def __init__(self) -> None:
        self._set = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def is_set(self) -> bool:
        """Tell whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it, and wake all who wait."""
        self._set = True
        self._free()

    def clear(self) -> None:
        """Take it back; for the one thread that waits, if it is ever taken back."""
        self._set = False
        self._lock.acquire(blocking=False)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; tell whether it is.

        Args:
            timeout: seconds; ``None`` waits as long as it takes.
        """
        wait_s = -1.0 if timeout is None else max(0.0, min(timeout, threading.TIMEOUT_MAX))
        # Once had, it stays free for the next who waits.
        if self._lock.acquire(timeout=wait_s) and self._set:
            self._free()
        return self._set

    def _free(self) -> None:
        # Somebody else may have been first.
        with contextlib.suppress(RuntimeError):
            self._lock.release()
