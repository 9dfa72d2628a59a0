"""Reading a ledger file, whatever it permits, while others may be writing it.

SQLite reads a file in WAL mode through shared memory beside it, which a reader would have
to make and would leave behind, and cannot make in a read-only directory. Where the
write-ahead log is missing or empty, all is in the file itself: it is opened as immutable,
without locks or side files. That is a promise which a writer may break at any moment, so
each piece of work is followed by a look at the file: when it moved on, the file is opened
anew and the work is done again.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import apsw

from minutebook.actors.ledger.forks import guard
from minutebook.actors.ledger.inspection import open_read_only
from minutebook.actors.ledger.sqlite_errors import translated
from minutebook.domain.errors import (
    LedgerBusy,
    LedgerError,
    LedgerMissing,
    LedgerPathError,
    LedgerReadOnly,
    NotALedger,
)

T = TypeVar("T")

# Each attempt is lost only to a writer that opened, wrote and closed the file meanwhile.
_ATTEMPTS_MAX: Final = 50


class _Seen(NamedTuple):
    """What tells that the file was written: SQLite never writes without changing these."""

    file: tuple[int, int, int, int, int]
    wal_bytes: int


class LedgerFile:
    """Runs read-only work on a ledger file; used by one thread at a time.

    Never creates the file, writes to it, or keeps a transaction open between two pieces of
    work: a reader that pauses does not make the writer's log grow.

    Args:
        path: the file.
        busy_timeout_s: how long to wait while somebody recovers the log of a killed writer.

    Raises:
        LedgerMissing, LedgerPathError: there is no file, or something that is none.
        NotALedger: the file is empty.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_s: float) -> None:
        self.path: Path = _resolved(path)
        self._busy_timeout_s = busy_timeout_s
        self._connection: apsw.Connection | None = None
        self._lock = threading.RLock()
        self._seen = self._look()
        guard(self)

    def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """Return what the work returns; it may be called again, with another connection.

        Raises:
            LedgerReadOnly: committed entries are in a write-ahead log that cannot be read
                here.
            LedgerError: of the kind that fits.
        """
        with self._lock:
            return self._run(work)

    def suspend(self, timeout_s: float) -> bool:
        """See `minutebook.actors.ledger.forks`."""
        if not self._lock.acquire(timeout=timeout_s):
            return False
        self.close()
        return True

    def resume(self) -> None:
        """See `minutebook.actors.ledger.forks`."""
        self._lock.release()

    def _run(self, work: Callable[[apsw.Connection], T]) -> T:
        for _ in range(_ATTEMPTS_MAX):
            try:
                result = work(self._connected())
            except (apsw.Error, LedgerError) as error:
                if not self._may_succeed_anew():
                    raise self._explained(error) from error
            else:
                if not self._is_immutable or self._look() == self._seen:
                    return result
            self.close()
        msg = f"ledger {self.path} is opened and closed again all the time; try again later."
        raise LedgerBusy(msg)

    def close(self) -> None:
        """Close the file; the next `run` opens it anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            self._seen = self._look()
            self._connection = open_read_only(
                self.path, busy_timeout_s=self._busy_timeout_s, immutable=self._is_immutable
            )
        return self._connection

    @property
    def _is_immutable(self) -> bool:
        return self._seen.wal_bytes == 0

    def _may_succeed_anew(self) -> bool:
        if self._is_immutable:
            return self._look() != self._seen
        # With a log, SQLite's own locks keep what is read whole; only opening can come too
        # late, when the last writer has just emptied the log and taken it away.
        return self._look().wal_bytes == 0

    def _look(self) -> _Seen:
        try:
            file = self.path.stat()
        except FileNotFoundError as error:
            msg = f"there is no ledger at {self.path}; check the path."
            raise LedgerMissing(msg) from error
        except OSError as error:
            msg = f"ledger {self.path}: {error.strerror}; check the path and its permissions."
            raise LedgerPathError(msg) from error
        if not stat.S_ISREG(file.st_mode):
            what = "a directory" if stat.S_ISDIR(file.st_mode) else "no regular file"
            msg = f"ledger {self.path} is {what}; give the path of a ledger file."
            raise LedgerPathError(msg)
        if file.st_size == 0:
            msg = f"{self.path} is empty, no ledger yet; choose another path."
            raise NotALedger(msg)
        try:
            wal_bytes = self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            wal_bytes = 0
        return _Seen(
            (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns), wal_bytes
        )

    def _explained(self, error: apsw.Error | LedgerError) -> LedgerError:
        if isinstance(error, LedgerError):
            return error
        if not self._is_immutable and isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError):
            msg = (
                f"ledger {self.path} has entries in {self.path.name}-wal that cannot be read"
                " here without write permission; copy both files to a directory of your own"
                " and read the copy."
            )
            return LedgerReadOnly(msg)
        return translated(error, self.path)


def _resolved(path: str | os.PathLike[str]) -> Path:
    # Links resolved: the side files lie beside the file itself.
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        msg = f"{os.fspath(path)!r} is no path of a ledger: {error}; check it."
        raise LedgerPathError(msg) from error
