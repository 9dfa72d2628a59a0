"""Segments that are ready: made ahead, or used before."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Final

from minutebook.actors.ledger.segments import SEGMENT_SUFFIX, SPARE_SUFFIX, Segment

SPARES_MAX: Final = 2
"""How many are kept."""


class Spares:
    """Where a journal gets its segments from, and where committed ones go.

    A list's own methods are all that two threads do to it at a time.

    Args:
        directory: where the files are.
        producer: first part of their names.
        size: bytes of each.
    """

    def __init__(self, directory: Path, producer: str, size: int) -> None:
        self._directory = directory
        self._producer = producer
        self._size = size
        self._ready: list[Segment] = []
        self._numbers = itertools.count(1)

    def begin(self, first_seq: int) -> Segment:
        """Return a segment for records from a sequence number on; raises OSError."""
        segment = self._ready.pop() if self._ready else self._make()
        name = f"{self._producer}-{first_seq:016d}{SEGMENT_SUFFIX}"
        try:
            segment.begin(self._directory / name, self._producer, first_seq)
        except OSError:
            self._ready.append(segment)
            raise
        return segment

    def put_back(self, segment: Segment) -> None:
        """Keep a segment for use again, or delete it when there are enough."""
        # Should it fail, a recovery finds what the ledger has already, which is harmless.
        with contextlib.suppress(OSError):
            if len(self._ready) < SPARES_MAX:
                segment.retire()
                self._ready.append(segment)
            else:
                segment.remove()

    def prepare(self) -> None:
        """Make one ahead, so that no caller has to wait for it."""
        if self._ready:
            return
        # A caller that needs one will try again, and is told if that fails.
        with contextlib.suppress(OSError):
            segment = self._make()
            segment.populate()
            self._ready.append(segment)

    def remove(self) -> None:
        """Delete all that are ready."""
        for segment in self._ready:
            segment.remove()

    def leave(self) -> None:
        """Unmap all that are ready."""
        for segment in self._ready:
            segment.leave()

    def _make(self) -> Segment:
        path = self._directory / f"{self._producer}.{next(self._numbers)}{SPARE_SUFFIX}"
        return Segment(path, self._size)
