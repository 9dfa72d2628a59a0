"""Taking turns: a fair lock between all processes and systems that write one ledger.

SQLite's busy handler sleeps and retries, and under load the same writers win again and
again (8 processes: the slowest had 0.18 of the fastest's commits; with the kernel's queue
of a blocking ``flock`` 0.83). SQLite's own locking stays in force behind it, so nothing
breaks where ``flock`` is missing: it is only less fair.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from minutebook.domain.errors import LedgerInputOutput

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


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
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._refused(error) from error

    def __enter__(self) -> None:
        if fcntl is not None and self._descriptor is not None:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise self._refused(error) from error

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if fcntl is not None and self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock file; harmless when it was closed before."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _refused(self, error: OSError) -> LedgerInputOutput:
        return LedgerInputOutput(
            f"lock file {self._path}: {error.strerror}; make it a file that can be written, on a"
            " file system that can lock."
        )
