"""Reading the journal of a live process from another one, as it grows."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

from minutebook.actors.ledger.segments import (
    RECORD_HEADER,
    RECORDS_FROM,
    SEGMENT_SUFFIX,
    record_at,
)
from minutebook.actors.ledger.taking import TAKEN_BYTES_MAX
from minutebook.domain.encoding import finish, with_producer


class Follower:
    """A place in a journal that somebody else writes; touches nothing of it.

    A record that is there only in part is not there yet: its checksum does not fit. The writer
    uses a segment for something else only when all in it is committed, that is, when the next
    number stands in a later one.

    Args:
        directory: the journals.
        producer: whose.
        seq: number of the first record to read.
    """

    def __init__(self, directory: Path, producer: str, seq: int) -> None:
        self._directory = directory
        self._producer = producer
        self._map: mmap.mmap | None = None
        self._at = RECORDS_FROM
        self.seq = seq
        """Number of the next record."""
        self.at_end = False
        """Whether the last `read` has read all that there was."""

    def read(self, count: int) -> list[bytes]:
        """Return the stored bytes of what was told since, at most so many, in order.

        They are fewer when they have more than `TAKEN_BYTES_MAX`.

        Raises:
            OSError: a segment cannot be read.
        """
        bodies: list[bytes] = []
        size = 0
        self.at_end = False
        while len(bodies) < count and size < TAKEN_BYTES_MAX:
            if self._map is None and not self._find():
                self.at_end = True
                break
            assert self._map is not None
            draft = record_at(self._map, self._at, self.seq)
            if draft is None:
                if not self._go_on():
                    self.at_end = True
                    break
                continue
            bodies.append(with_producer(finish(draft), self._producer, self.seq))
            size += len(draft)
            self._at += RECORD_HEADER.size + len(draft)
            self.seq += 1
        return bodies

    def close(self) -> None:
        """Let go of the segment."""
        if self._map is not None:
            self._map.close()
            self._map = None

    def _go_on(self) -> bool:
        """Change to the segment that begins with the next number, once that number is in it."""
        # Not before: a segment may be begun, and given up again for a short event that still
        # fits into the one before.
        following = self._mapped(self.seq)
        if following is None:
            return False
        if record_at(following, RECORDS_FROM, self.seq) is None:
            following.close()
            return False
        self.close()
        self._map, self._at = following, RECORDS_FROM
        return True

    def _find(self) -> bool:
        """Find the segment that the next number is in, or will be."""
        pattern = f"{self._producer}-{'[0-9]' * 16}{SEGMENT_SUFFIX}"
        firsts = [int(path.stem.rpartition("-")[2]) for path in self._directory.glob(pattern)]
        first = max((first for first in firsts if first <= self.seq), default=None)
        found = None if first is None else self._mapped(first)
        if first is None or found is None:
            return False
        at = RECORDS_FROM
        for seq in range(first, self.seq):
            draft = record_at(found, at, seq)
            if draft is None:
                found.close()
                return False
            at += RECORD_HEADER.size + len(draft)
        self._map, self._at = found, at
        return True

    def _mapped(self, first_seq: int) -> mmap.mmap | None:
        path = self._directory / f"{self._producer}-{first_seq:016d}{SEGMENT_SUFFIX}"
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)
        return None
