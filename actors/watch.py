"""Noticing within a second what happens to the files, also while nothing is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from minutebook.actors.health import Vitals
from minutebook.actors.ledger.wal import WAL_BYTES_MAX
from minutebook.actors.looking import Looker
from minutebook.domain.errors import MinutebookError

logger = logging.getLogger("minutebook.audit")

INTERVAL_S: Final = 0.5
"""How often the files are looked at: what happens after a commit is seen by the second look."""

WAL_BYTES_WARNED: Final = 4 * WAL_BYTES_MAX
"""From this size on, the write-ahead log is worth a warning."""

_PAUSE_MAX: Final = 32
"""Most looks between two tries to cut the write-ahead log."""


class Watched(Protocol):
    """What the ledger is to this module."""

    @property
    def path(self) -> Path:
        """The ledger's file."""
        ...

    def look(self) -> str | None:
        """Say what is wrong with the files, waiting for nobody."""

    def close(self) -> None:
        """Close it."""

    def shorten_log(self) -> None:
        """Cut the write-ahead log; raises `LedgerError` when that cannot be now."""


class Watch(Looker):
    """Looks at the ledger's files twice a second, on a thread of its own.

    Who commits looks at the ledger itself, each time: it is looked at here only where nothing was
    committed since the last look. Whoever tells would have to wait for a look in vain.

    Args:
        ledger: the one that is written; only looked at.
        open_ledger: opens another one for cutting the write-ahead log, which is closed again.
        journal_in_place: whether the journal can be found by who recovers it.
        vitals: where it notes what it sees.
        interval_s: seconds between two looks.
    """

    def __init__(
        self,
        ledger: Watched,
        open_ledger: Callable[[], Watched],
        journal_in_place: Callable[[], bool],
        vitals: Vitals,
        *,
        interval_s: float = INTERVAL_S,
    ) -> None:
        super().__init__("minutebook-watch", interval_s)
        self._ledger = ledger
        self._open_ledger = open_ledger
        self._journal_in_place = journal_in_place
        self._vitals = vitals
        self._wal = ledger.path.with_name(ledger.path.name + "-wal")
        self._warned = False
        self._committed = -1
        self._pause, self._next_pause = 0, 1

    def look(self) -> None:
        """Look at the files once."""
        try:
            committed, self._committed = self._committed, self._vitals.committed
            astray = self._ledger.look() if self._committed == committed else None
            self._vitals.note_files(astray or self._look_at_journal())
            self._look_at_log()
        except Exception:
            logger.exception("ledger %s: its files could not be looked at", self._ledger.path)

    def _look_at_journal(self) -> str | None:
        if self._journal_in_place():
            return None
        return (
            f"ledger {self._ledger.path}: the directory of its journal was moved or deleted; what"
            " is told is committed as long as this process lives, and would not survive it: put"
            " it back, or close this system and open it again."
        )

    def _look_at_log(self) -> None:
        before = self._vitals.wal_bytes
        try:
            size = self._wal.stat().st_size
        except OSError:
            size = 0
        self._vitals.wal_bytes = size
        if size >= WAL_BYTES_WARNED and not self._warned:
            self._warned = True
            logger.warning(
                "ledger %s: its write-ahead log has %d bytes, and grows as long as somebody keeps a"
                " transaction open; find them, by `fuser %s-shm`, and end it",
                self._ledger.path,
                size,
                self._ledger.path,
            )
        # One that grows is cut by who writes, as soon as nobody reads.
        if size <= WAL_BYTES_MAX:
            self._warned, self._pause, self._next_pause = False, 0, 1
        elif size == before:
            self._cut()

    def _cut(self) -> None:
        if self._pause > 0:
            self._pause -= 1
            return
        self._pause, self._next_pause = self._next_pause, min(2 * self._next_pause, _PAUSE_MAX)
        try:
            ledger = self._open_ledger()
            try:
                ledger.shorten_log()
            finally:
                ledger.close()
        except MinutebookError as error:
            logger.debug("ledger %s: its log cannot be cut yet: %s", self._ledger.path, error)
