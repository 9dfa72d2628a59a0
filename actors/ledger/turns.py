"""Taking turns: a fair lock between all processes and systems that write one ledger.

SQLite's busy handler sleeps and retries, and under load the same writers win again and
again (8 processes: the slowest had 0.18 of the fastest's commits; with the kernel's queue
of a blocking ``flock`` 0.83). SQLite's own locking stays in force behind it, so nothing
breaks where ``flock`` is missing: it is only less fair.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from types import TracebackType
from typing import Final

from minutebook.domain.errors import LedgerInputOutput

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


_NOTE_BYTES_MAX: Final = 256

_open: Final[weakref.WeakSet[Turns]] = weakref.WeakSet()


def _let_go_in_child() -> None:
    # A copy of the descriptor would keep the parent's turn when the parent has died in it.
    for turns in list(_open):
        turns.let_go()


if fcntl is not None:
    os.register_at_fork(after_in_child=_let_go_in_child)


class Turns:
    """A lock file; ``with turns:`` waits for this holder's turn.

    Not reentrant. The kernel lets go of it when the process ends, however it ends.

    Args:
        path: the lock file, made when missing; never deleted.

    Raises:
        LedgerInputOutput: the operating system refuses the file, or the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = False
        self._descriptor: int | None = self._opened()
        _open.add(self)

    def __enter__(self) -> None:
        if not self._closed:
            self._lock(wait=True)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if fcntl is not None and self._descriptor is not None:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            except OSError:
                # Closing lets go of it, too; who kept it would keep out everybody else.
                self.let_go()

    def taken_at_once(self) -> bool:
        """Take the turn if nobody else has it; leave it by `__exit__`."""
        return not self._closed and self._lock(wait=False)

    def read(self) -> bytes:
        """Return what was left by `write`; only in a turn.

        Raises:
            LedgerInputOutput: the operating system refuses.
        """
        if self._descriptor is None:
            return b""
        try:
            return os.pread(self._descriptor, _NOTE_BYTES_MAX, 0)
        except OSError as error:
            raise self._refused(error) from error

    def write(self, note: bytes) -> None:
        """Leave a note in the lock file, for whoever has the next turn; only in a turn.

        Raises:
            LedgerInputOutput: the operating system refuses.
        """
        if self._descriptor is None:
            return
        try:
            os.pwrite(self._descriptor, note, 0)
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Close the lock file; harmless when it was closed before."""
        self._closed = True
        self.let_go()

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._refused(error) from error

    def _lock(self, *, wait: bool) -> bool:
        if self._descriptor is None:
            self._descriptor = self._opened()
        if fcntl is None:
            return True
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._refused(error) from error
        return True

    def let_go(self) -> None:
        """Close the file until the next turn; done by itself in a forked child."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _refused(self, error: OSError) -> LedgerInputOutput:
        return LedgerInputOutput(
            f"lock file {self._path}: {error.strerror}; make it a file that can be written, on a"
            " file system that has room and can lock."
        )
