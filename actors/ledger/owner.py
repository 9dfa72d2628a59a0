"""Who a journal belongs to: a lock that the kernel lets go of when the process ends."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

OWNER_SUFFIX: Final = ".owner"
"""Behind a producer's id: the file whose lock its owner holds."""

_held: Final[weakref.WeakSet[Owner]] = weakref.WeakSet()


def _let_go_in_child() -> None:
    # A copy would hold the lock on when the parent has died.
    for owner in list(_held):
        owner.let_go()


if fcntl is not None:
    os.register_at_fork(after_in_child=_let_go_in_child)


class Owner:
    """Holds the exclusive lock of an owner file for as long as the process lives.

    Args:
        path: the file; made when missing.

    Raises:
        OSError: it cannot be made, or the file system has no locks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = _locked(path)
        _held.add(self)

    def let_go(self) -> None:
        """Close the file, and with it the lock; harmless the second time.

        Done by itself in a forked child, where it closes a copy and leaves the parent's lock
        alone.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def in_place(self) -> bool:
        """Tell whether the file is where others look for it; true when it was let go of."""
        descriptor = self._descriptor
        if descriptor is None:
            return True
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False

    def remove(self) -> None:
        """Delete the file: there is nothing left to own."""
        self._path.unlink(missing_ok=True)


def is_gone(directory: Path, producer: str) -> bool:
    """Tell whether a producer has ended and all that it had journaled is in the ledger.

    Its owner file is made before it tells anything, and deleted when there is nothing left
    to commit: by itself when it is closed, else by a recovery.
    """
    return not (directory / f"{producer}{OWNER_SUFFIX}").exists()


def is_dead(directory: Path, producer: str) -> bool:
    """Tell whether a producer has ended, whatever it has left to recover.

    Looks at its lock, and changes nothing.
    """
    try:
        descriptor = os.open(directory / f"{producer}{OWNER_SUFFIX}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        if fcntl is None:
            return False
        # Shared, and for a moment: whoever recovers it meanwhile just looks again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fcntl is None:
            return descriptor
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # A recoverer may have found it without an owner, and deleted it, between the two steps.
        if os.fstat(descriptor).st_nlink > 0:
            return descriptor
        os.close(descriptor)
