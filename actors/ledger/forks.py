"""SQLite and fork: every connection is closed before a fork, and opened again when it is used.

SQLite keeps what it knows of a file's locks for the whole process. A forked child that has
this memory believes that it holds locks which the kernel gave to its parent alone, and its
own, new connection to the same file then loses commits when the parent closes. With no
connection open in the moment of the fork there is nothing to be remembered
(https://www.sqlite.org/howtocorrupt.html, section 2.6). That the locks below are held also
means that no thread is inside SQLite, whose mutexes the child could never unlock.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

import apsw

from minutebook.domain.errors import LedgerUnavailable

WAIT_S: Final = 5.0
"""How long a fork waits for the transactions under way, all together."""


class Suspendable(Protocol):
    """Something that has SQLite files open."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    def suspend(self, timeout_s: float) -> bool:
        """Close all, and keep it closed until `resume`; false when that cannot be in time."""
        ...

    def resume(self) -> None:
        """Allow it to be opened again; called only after `suspend` has succeeded."""


_open: weakref.WeakSet[Suspendable] = weakref.WeakSet()
_suspended: list[Suspendable] = []
_missed: list[Path] = []
_tainted: set[Path] = set()
_registered = False


def guard(item: Suspendable) -> None:
    """Close something around every fork, for as long as it lives.

    Raises:
        LedgerUnavailable: this process is a child, forked while the file was in use.
    """
    global _registered
    if item.path in _tainted:
        msg = (
            f"{item.path} was in use when this process was forked, and cannot be opened safely"
            " here; start the process by spawn instead, or fork when nothing is being written."
        )
        raise LedgerUnavailable(msg)
    if not _registered and hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_suspend_all, after_in_parent=_resume_all, after_in_child=_resume_in_child
        )
        _registered = True
    _open.add(item)


def _suspend_all() -> None:
    deadline = time.monotonic() + WAIT_S
    for item in list(_open):
        if item.suspend(max(0.0, deadline - time.monotonic())):
            _suspended.append(item)
        else:
            _missed.append(item.path)


def _resume_all() -> None:
    while _suspended:
        _suspended.pop().resume()
    _missed.clear()


def _resume_in_child() -> None:
    _tainted.update(_missed)
    _resume_all()


class GuardedConnection:
    """A connection that is closed around every fork; used by one thread at a time.

    Args:
        path: the file.
        connect: opens it.
    """

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection]) -> None:
        self.path = path
        self._connect = connect
        self._lock = threading.RLock()
        self._connection: apsw.Connection | None = None
        self._closed = False
        guard(self)
        self._connection = connect()

    @contextlib.contextmanager
    def use(self) -> Iterator[apsw.Connection]:
        """Keep it open for the block; may be nested.

        Raises:
            apsw.ConnectionClosedError: it was closed for good.
        """
        with self._lock:
            if self._closed:
                msg = "the connection is closed"
                raise apsw.ConnectionClosedError(msg)
            if self._connection is None:
                self._connection = self._connect()
            yield self._connection

    @contextlib.contextmanager
    def use_at_once(self) -> Iterator[apsw.Connection | None]:
        """Keep it for the block; ``None`` when it is in use, or not open at the moment."""
        if not self._lock.acquire(blocking=False):
            yield None
            return
        try:
            yield self._connection
        finally:
            self._lock.release()

    def renew(self) -> apsw.Connection:
        """Close it, and open it again; within `use`."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            self._connection = self._connect()
            return self._connection

    def reset(self) -> None:
        """Let it be opened again by who uses it next: in a forked child.

        Raises:
            LedgerUnavailable: the file was in use when this process was forked.
        """
        guard(self)
        self._closed = False

    def close(self) -> None:
        """Close it for good; harmless when it is closed."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def suspend(self, timeout_s: float) -> bool:
        """See `Suspendable`."""
        if not self._lock.acquire(timeout=timeout_s):
            return False
        try:
            if self._connection is not None:
                self._connection.close()
        except apsw.Error:
            self._lock.release()
            return False
        self._connection = None
        return True

    def resume(self) -> None:
        """See `Suspendable`."""
        self._lock.release()
