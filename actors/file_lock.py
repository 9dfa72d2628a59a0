"""A lock between processes, on a file: the kernel lets go of it when its holders have ended."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from minutebook.actors.ledger.held import hold, let_go
from minutebook.domain.errors import FileLockError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

WAIT_S: Final = 10.0
"""How long who has it is waited for."""

_POLL_S: Final = 0.005


class FileLock:
    """A lock file; ``with lock:`` holds it alone. Not reentrant, and of one thread.

    A child process that is given the `descriptor` (``subprocess``'s ``pass_fds``) holds it
    too, until it ends.

    Args:
        path: the file; made, with mode 0600, when missing.
        wait_s: how long to wait for it; 0 to try once.
    """

    def __init__(self, path: Path, *, wait_s: float = WAIT_S) -> None:
        self.path = path
        """The file."""
        self._wait_s = wait_s
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file, while it is held."""
        assert self._descriptor is not None
        return self._descriptor

    def __enter__(self) -> FileLock:
        """Take it.

        Raises:
            FileLockError: another one has it all the time, or the file cannot be made.
        """
        deadline = time.monotonic() + self._wait_s
        while not self._try():
            if time.monotonic() >= deadline:
                msg = (
                    f"lock file {self.path} has been held by another process for"
                    f" {self._wait_s:g} s; wait for that, or end it, and try again."
                )
                raise FileLockError(msg)
            time.sleep(_POLL_S)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            if fcntl is not None:
                # Closing it would not do while a forked child has a copy.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            let_go(descriptor)

    def remove(self) -> None:
        """Delete the file, while it is held: who waits for it makes another."""
        self.path.unlink(missing_ok=True)

    def _try(self) -> bool:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            hold(descriptor)
            taken = False
            try:
                if fcntl is not None:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its holder may have deleted it between the two steps.
                taken = os.fstat(descriptor).st_nlink > 0
            except BlockingIOError:
                pass
            finally:
                if not taken:
                    let_go(descriptor)
        except OSError as error:
            msg = (
                f"lock file {self.path}: {error.strerror}; make its directory writable, on a"
                " file system that can lock."
            )
            raise FileLockError(msg) from error
        if taken:
            self._descriptor = descriptor
        return taken
