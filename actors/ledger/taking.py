"""Reading a journal in the process that writes it: no file is read, the segments are mapped."""

from __future__ import annotations

from typing import Final

from minutebook.actors.ledger.segments import RECORD_HEADER, RECORDS_FROM, Segment

TAKEN_BYTES_MAX: Final = 8 * 1024 * 1024
"""About so many bytes are taken at a time, and some events more: a transaction has them in
memory several times over."""


class Cursor:
    """A place in a chain of segments.

    Args:
        segment: the first one.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        """Where it is."""
        self._at = RECORDS_FROM

    def read(self) -> bytes:
        """Return what the next record holds; there must be one."""
        self.advance()
        mapped = self.segment.map
        size = RECORD_HEADER.unpack_from(mapped, self._at)[0]
        start = self._at + RECORD_HEADER.size
        self._at = start + size
        return mapped[start : self._at]

    def advance(self) -> None:
        """Go on to the following segment, if this one is read to its end."""
        following = self.segment.following
        # Its end is settled before it is followed.
        if following is not None and self._at >= self.segment.end:
            self.segment, self._at = following, RECORDS_FROM
