"""Keeping SQLite's write-ahead log short, whoever reads or writes meanwhile.

SQLite starts the log anew when all of it is in the ledger itself and nobody reads from it. Left
to itself it tries to move it there after each commit, and never waits: readers that overlap,
or writers that take turns at will, can keep it growing (about 700 MB in 3 s with 4 processes).
Here it is done in the writer's own turn, so that no other writer of ours is in the way; now and
then it waits a moment for readers; and a log that a long reader has made grow is cut when that
reader has gone. What no writer can do is end a foreign transaction: as long as somebody keeps
one open, the log grows.
"""

from __future__ import annotations

from typing import Final

import apsw

CHECKPOINT_PAGES: Final = 1000
"""The log is moved into the ledger each time that it has grown by so many pages of 4 KiB."""

WAIT_PAGES: Final = 2 * CHECKPOINT_PAGES
"""From this length on, readers are waited for."""

WAIT_FOR_READERS_MS: Final = 50
"""How long; other writers wait meanwhile, so it is done at half as much again each time."""

WAL_BYTES_MAX: Final = 16 * 1024 * 1024
"""What is left of the file when it is begun anew, and what an idle one is cut down to."""


class WriteAheadLog:
    """The log as one connection sees it.

    Args:
        busy_timeout_s: the connection's, set again after each wait for readers.
    """

    def __init__(self, busy_timeout_s: float) -> None:
        self._busy_timeout_ms = round(busy_timeout_s * 1000)
        self._pages = 0
        self._tried_at = 0
        self._wait_at = WAIT_PAGES

    def attach(self, connection: apsw.Connection) -> None:
        """Take the place of SQLite's own way of keeping it short."""
        connection.set_wal_hook(self._note)
        connection.pragma("journal_size_limit", WAL_BYTES_MAX)

    def _note(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def shorten(self, connection: apsw.Connection, pages: int = CHECKPOINT_PAGES) -> None:
        """Move the log into the ledger when it is long; after a commit, in the writer's turn.

        Args:
            pages: by how much it is to have grown since the last time.
        """
        if self._pages < self._tried_at:  # it was begun anew
            self._tried_at, self._wait_at = 0, WAIT_PAGES
        if self._pages < self._tried_at + pages:
            return
        self._tried_at = self._pages
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if self._pages >= self._wait_at:
                self._wait_at = self._pages * 3 // 2
                cut(connection, self._busy_timeout_ms)
                self._tried_at = 0
        except apsw.Error:
            # The entries are committed. A disk that fails, the next commit reports.
            return


def cut(connection: apsw.Connection, busy_timeout_ms: int) -> None:
    """Move all of the log into the ledger, and cut it to nothing; only in the writer's turn.

    Args:
        busy_timeout_ms: the connection's, set again afterwards.

    Raises:
        apsw.BusyError: somebody reads it, or writes without taking turns.
        apsw.Error: of another kind: the disk fails.
    """
    connection.set_busy_timeout(WAIT_FOR_READERS_MS)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        connection.set_busy_timeout(busy_timeout_ms)
