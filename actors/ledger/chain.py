"""The segments of a journal, from the oldest that is not committed to the one in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from minutebook.actors.ledger.segments import Segment
from minutebook.actors.ledger.spares import Spares

SEGMENTS_MIN: Final = 2
"""One that is filled, and one that is committed meanwhile."""

_AT_FIRST: Final = 256 * 1024
"""Bytes of the first segment that are in memory from the start: most programs tell no more."""


class Chain:
    """One thread at a time lengthens it, and one shortens it.

    Args:
        directory: where the files are.
        producer: first part of their names.
        size: bytes of each segment.
        bytes_max: most bytes of all of them.

    Raises:
        OSError: the first segment cannot be made.
    """

    def __init__(self, directory: Path, producer: str, *, size: int, bytes_max: int) -> None:
        self._spares = Spares(directory, producer, size)
        self._most = max(SEGMENTS_MIN, bytes_max // size)
        self.begun = 1
        """How many segments were ever in it; set along with `last` by who lengthens it."""
        self._freed = 0
        self.last = self.oldest = self._spares.begin(0)
        self.last.populate(_AT_FIRST)

    @property
    def is_full(self) -> bool:
        """Whether another segment would be one too many."""
        return self.begun - self._freed >= self._most

    @property
    def is_half_full(self) -> bool:
        """Whether there are half as many segments as there may be, or more."""
        return 2 * (self.begun - self._freed) >= self._most

    def begin(self, first_seq: int) -> Segment:
        """Return a segment for records from a number on, not in the chain yet; raises OSError."""
        return self._spares.begin(first_seq)

    def give_back(self, segment: Segment) -> None:
        """Take back what `begin` returned: it is not needed."""
        self._spares.put_back(segment)

    def shorten(self, committed_seq: int, until: Segment | None = None) -> None:
        """Free what holds only records before a number: all of them are committed.

        Args:
            until: a segment that is not to be freed yet.
        """
        while (following := self.oldest.following) is not None:
            if following.first_seq > committed_seq or self.oldest is until:
                return
            segment, self.oldest = self.oldest, following
            segment.following = None
            self._freed += 1
            self._spares.put_back(segment)

    def prepare(self, position: int) -> None:
        """Have the memory that is written next, before it is needed; see `Journal.prepare`.

        Args:
            position: how far the last segment is written.
        """
        if position > _AT_FIRST // 4:
            self.last.populate()
            self._spares.prepare()

    def remove_spares(self) -> None:
        """Delete the files that hold nothing."""
        self._spares.remove()

    def leave(self) -> None:
        """Unmap all the files, and leave them as they are: in a forked child."""
        for segment in self:
            segment.leave()
        self._spares.leave()

    def __iter__(self) -> Iterator[Segment]:
        segment: Segment | None = self.oldest
        while segment is not None:
            yield segment
            segment = segment.following
