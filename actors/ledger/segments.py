"""The files of a journal: their layout, and how far a file can be trusted.

A segment is a file of fixed size, allocated in full before it is mapped, since writing to a
page of a mapped file that the disk has no room for would end the process with SIGBUS.

| bytes | what |
|---|---|
| 0-7 | ``MBJOURN2`` |
| 8-39 | the producer, 32 hexadecimal digits |
| 40-47 | sequence number of the first record, unsigned, little endian |
| 48-63 | zero |
| 64- | records |

A record is the length of what it holds (4 bytes), the CRC-32 of that (4), the sequence number
twice, since the checksum does not cover it (8 each; to mix it in would cost the caller of ``tell``
more), and a draft or head of an event, see `minutebook.domain.encoding.finish`; unsigned, little
endian. Behind the last one are zeros. A record is written in one copy: of one that a process died
in, the checksum does not fit. The CRC-32 is zlib's, which zlib-ng computes three times as fast.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from zlib_ng.zlib_ng import crc32

from minutebook.actors.ledger.pages import populate, zero

MAGIC: Final = b"MBJOURN2"
RECORD_HEADER: Final = struct.Struct("<IIQQ")
RECORDS_FROM: Final = 64
END: Final = bytes(RECORD_HEADER.size)
"""What stands behind the last record, at least."""

SEGMENT_SUFFIX: Final = ".journal"
SPARE_SUFFIX: Final = ".new"
"""Of a file that holds nothing that is not committed."""

_EVENT_BEGIN: Final = b'{"id":"'
_SEGMENT_HEADER: Final = struct.Struct("<8s32sQ16x")

# How far behind damage another record is looked for, counted in records; less than where the
# bytes of a number that the search goes by could change twice.
_LOST_MAX: Final = 1 << 20
_SEQ_HIGH_FROM: Final = 3


class Segment:
    """One mapped file.

    Args:
        path: the file; made anew.
        size: its bytes.

    Raises:
        OSError: it cannot be made, or the disk has no room for it.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._populated = 0
        self.first_seq = 0
        """Number of the first record."""
        self.end = RECORDS_FROM
        """Behind the last record; settled when the next segment is begun."""
        self.following: Segment | None = None
        """The segment that goes on from there."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size)
            else:
                zeros = memoryview(bytes(size))
                while zeros:
                    zeros = zeros[os.write(descriptor, zeros) :]
            self.map = mmap.mmap(descriptor, size)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def populate(self, size: int | None = None) -> None:
        """Have its pages in memory, so that a caller of `tell` does not pay for each.

        Args:
            size: only so many bytes from its beginning.
        """
        until = len(self.map) if size is None else size
        if self._populated < until:
            populate(self.map, self._populated, until)
            self._populated = until

    def begin(self, path: Path, producer: str, first_seq: int) -> None:
        """Take the file, which has no records, for those from a number on, under a new name."""
        _SEGMENT_HEADER.pack_into(self.map, 0, MAGIC, producer.encode("ascii"), first_seq)
        self.path.rename(path)
        self.path = path
        self.first_seq = first_seq
        self.end = RECORDS_FROM

    def retire(self) -> None:
        """Make an empty file of it, under a name that no recovery reads: all is committed.

        Raises:
            OSError: the name stays, and what is in it.
        """
        # The name first: a recovery would take the zeros for damage.
        self.path = self.path.rename(self.path.with_suffix(SPARE_SUFFIX))
        zero(self.map, RECORDS_FROM, self.end)
        self.end = RECORDS_FROM

    def leave(self) -> None:
        """Unmap the file, and leave it as it is."""
        # Of a thread that was reading it, which a forked child has not got.
        with contextlib.suppress(BufferError):
            self.map.close()

    def remove(self) -> None:
        """Delete the file."""
        # While another thread has its pages brought, it stays mapped for as long as that takes.
        with contextlib.suppress(BufferError):
            self.map.close()
        self.path.unlink(missing_ok=True)


def header_packer(preface: bytes) -> Callable[[int, int, int, int, bytes], bytes]:
    """Return what packs a record's header and the preface of its draft.

    It is given the size, the checksum, the number twice, and the preface.
    """
    return struct.Struct(f"{RECORD_HEADER.format}{len(preface)}s").pack


class Damage(NamedTuple):
    """A stretch of a segment that is no record."""

    first_seq: int
    """The first sequence number that is missing."""
    lost: int
    """How many are missing; 0 when none is, or nothing is known to follow."""
    offset: int
    """Where it begins; 0 is the segment's header."""

    @property
    def is_open_end(self) -> bool:
        """Whether it is the end of what can be read, and nothing is known to follow."""
        return self.lost == 0 and self.offset > 0


class Scan(NamedTuple):
    """What a segment file holds."""

    records: list[tuple[int, bytes]]
    """Sequence numbers and drafts or heads that are as they were written, in order."""
    damage: list[Damage]
    """What lies between or behind them."""
    end: int
    """Behind the last record."""


def scan(data: bytes, producer: str, first_seq: int) -> Scan:
    """Read a segment, whatever state it is in.

    Never returns a body that was not written as it is: each has its checksum, and its place in
    the sequence twice.

    Args:
        data: the file.
        producer: whose it is, by its name.
        first_seq: sequence number of its first record, by its name.
    """
    records: list[tuple[int, bytes]] = []
    damage: list[Damage] = []
    if data[:RECORDS_FROM] != _SEGMENT_HEADER.pack(MAGIC, producer.encode("ascii"), first_seq):
        damage.append(Damage(first_seq, 0, 0))
    offset, expected = RECORDS_FROM, first_seq
    while True:
        body = record_at(data, offset, expected)
        if body is not None:
            records.append((expected, body))
            offset += RECORD_HEADER.size + len(body)
            expected += 1
            continue
        # Also behind what looks like the end: it may be a stretch that was overwritten by zeros.
        found = _next_record(data, offset, expected)
        if found is None:
            if data[offset : offset + len(END)] != END:
                damage.append(Damage(expected, 0, offset))
            break
        damage.append(Damage(expected, found[0] - expected, offset))
        expected, offset = found
    return Scan(records, damage, offset)


def is_torn(data: bytes, offset: int) -> bool:
    """Tell whether a damaged end is the record that a process died in while it wrote it.

    A kill comes where the copy waits for the next page of memory, or its first bytes, which
    are stored last: a part of the one record is zeros, which no event's bytes are, or its end is
    missing. A whole one with a wrong checksum was there, and has been damaged since.
    """
    size = int.from_bytes(data[offset : offset + 4], "little")
    rest = data[offset + RECORD_HEADER.size :].rstrip(b"\0")
    whole = size > 0 and b"\0" not in rest and rest.endswith(b"}")
    return not whole and rest.count(_EVENT_BEGIN) <= 1


def record_at(data: bytes | mmap.mmap, offset: int, seq: int) -> bytes | None:
    """Return what the record of a number holds, if it is at a place of a segment, and sound."""
    if offset + RECORD_HEADER.size > len(data):
        return None
    size, crc, found, again = RECORD_HEADER.unpack_from(data, offset)
    start = offset + RECORD_HEADER.size
    if size == 0 or not found == again == seq or start + size > len(data):
        return None
    body = data[start : start + size]
    return body if crc32(body) == crc else None


def _next_record(data: bytes, offset: int, expected: int) -> tuple[int, int] | None:
    """Find the next record, and its place, behind a place where there is none.

    One pass over the file, however many records are missing. What is left of an earlier use
    of the file has lower numbers.
    """
    if not data[offset:].strip(b"\0"):
        return None
    highs = {
        re.escape(seq.to_bytes(8, "little")[_SEQ_HIGH_FROM:])
        for seq in (expected, expected + _LOST_MAX)
    }
    pattern = rb"(?!\0{4})(?=[\s\S]{%d}(?:%b))" % (8 + _SEQ_HIGH_FROM, b"|".join(highs))
    for match in re.compile(pattern).finditer(data, offset):
        start = match.start()
        seq = int.from_bytes(data[start + 8 : start + 16], "little")
        if 0 <= seq - expected <= _LOST_MAX and record_at(data, start, seq) is not None:
            return seq, start
    return None
