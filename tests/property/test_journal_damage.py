"""Journals that something went over: never a wrong record, never a recovery that fails."""

import re
import tempfile
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from hypothesis import example, given, settings
from hypothesis import strategies as st

from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.owner import OWNER_SUFFIX
from minutebook.actors.ledger.recovery import DAMAGED_SUFFIX, recover
from minutebook.actors.ledger.segments import (
    END,
    RECORD_HEADER,
    RECORDS_FROM,
    SEGMENT_SUFFIX,
    Segment,
    is_torn,
    scan,
)
from minutebook.domain.encoding import with_producer
from tests.contract.trail import PRODUCER, many, new_encoder

SIZE = 16 * 1024
COUNT = 12
FIRST = 1000
ENCODER = new_encoder()
TAIL = re.compile(rb',"producer":"[^"]*","producer_seq":\d+}$')


def heads(count: int, first: int) -> list[bytes]:
    """What is in a journal: the bodies without what a commit adds."""
    return [TAIL.sub(b"", body) for body in many(ENCODER, count, first=first)]


BODIES = heads(COUNT, FIRST)
STALE = heads(2 * COUNT, FIRST - 2 * COUNT)


def record(body: bytes, seq: int) -> bytes:
    return RECORD_HEADER.pack(len(body), crc32(body), seq, seq) + body


BORDERS = [RECORDS_FROM]
for one in BODIES:
    BORDERS.append(BORDERS[-1] + RECORD_HEADER.size + len(one))

RECORDS = b"".join(record(body, seq) for seq, body in enumerate(BODIES, FIRST))


def a_segment(directory: Path, *, stale: bool) -> bytearray:
    segment = Segment(directory / "x.new", SIZE)
    segment.begin(directory / "x", PRODUCER, FIRST)
    if stale:
        old = b"".join(record(body, seq) for seq, body in enumerate(STALE, FIRST - 2 * COUNT))
        segment.map[RECORDS_FROM : RECORDS_FROM + len(old)] = old
    segment.map[RECORDS_FROM : RECORDS_FROM + len(RECORDS) + len(END)] = RECORDS + END
    data = bytearray(segment.map[:])
    segment.remove()
    return data


with tempfile.TemporaryDirectory() as made:
    FRESH = bytes(a_segment(Path(made), stale=False))
    USED = bytes(a_segment(Path(made), stale=True))


class Flip(NamedTuple):
    """Bits turned over, at one place."""

    at: int
    mask: int

    def hurt(self, data: bytearray) -> None:
        if self.at < len(data):
            data[self.at] ^= self.mask


class Write(NamedTuple):
    """Something written over it."""

    at: int
    what: bytes

    def hurt(self, data: bytearray) -> None:
        fits = self.what[: max(0, len(data) - self.at)]
        data[self.at : self.at + len(fits)] = fits


class Zero(NamedTuple):
    """A stretch of zeros, as when a block never reached the disk."""

    at: int
    size: int

    def hurt(self, data: bytearray) -> None:
        Write(self.at, bytes(self.size)).hurt(data)


class Cut(NamedTuple):
    """A file that ends early."""

    at: int

    def hurt(self, data: bytearray) -> None:
        del data[self.at :]


class Move(NamedTuple):
    """A part of the file that stands at another place, too."""

    source: int
    at: int
    size: int

    def hurt(self, data: bytearray) -> None:
        Write(self.at, bytes(data[self.source : self.source + self.size])).hurt(data)


Hurt = Flip | Write | Zero | Cut | Move

NEAR_BORDERS = st.builds(
    lambda border, by: max(0, border + by), st.sampled_from(BORDERS), st.integers(-20, 20)
)
PLACES = st.integers(0, SIZE) | st.integers(0, BORDERS[-1] + 32) | NEAR_BORDERS
HURTS: st.SearchStrategy[Hurt] = st.one_of(
    st.builds(Flip, PLACES, st.integers(1, 255)),
    st.builds(Write, PLACES, st.binary(min_size=1, max_size=200)),
    st.builds(Zero, PLACES, st.integers(1, SIZE)),
    st.builds(Cut, PLACES),
    st.builds(Move, PLACES, PLACES, st.integers(1, 2000)),
)


def hurt_segment(used: bool, hurts: list[Hurt]) -> bytes:
    data = bytearray(USED if used else FRESH)
    for hurt in hurts:
        hurt.hurt(data)
    return bytes(data)


def first_change(before: bytes, after: bytes) -> int:
    both = min(len(before), len(after))
    return next((at for at in range(both) if before[at] != after[at]), both)


def untouched(before: bytes, after: bytes) -> list[int]:
    """Numbers of the records whose bytes all stand where they stood."""
    return [
        FIRST + place
        for place in range(COUNT)
        if after[BORDERS[place] : BORDERS[place + 1]] == before[BORDERS[place] : BORDERS[place + 1]]
    ]


@settings(max_examples=500)
@given(st.booleans(), st.lists(HURTS, min_size=1, max_size=3))
@example(used=False, hurts=[Cut(0)])
@example(used=True, hurts=[Zero(BORDERS[5], 16)])
def test_a_scan_has_all_that_is_as_it_was_and_nothing_else(used: bool, hurts: list[Hurt]) -> None:
    """Whatever was written over it, each body is the one that was written with its number."""
    whole, data = USED if used else FRESH, hurt_segment(used, hurts)
    found = scan(data, PRODUCER, FIRST)
    seqs = [seq for seq, _ in found.records]
    assert seqs == sorted(set(seqs))
    assert all(body == BODIES[seq - FIRST] for seq, body in found.records)
    before_it = [
        FIRST + place for place in range(COUNT) if BORDERS[place + 1] <= first_change(whole, data)
    ]
    assert seqs[: len(before_it)] == before_it
    # A whole record at another place may hide the beginning of one that stands where it stood.
    if not any(isinstance(hurt, Move) for hurt in hurts):
        assert set(untouched(whole, data)) <= set(seqs)
    # What lies between two records that were found is named, and nothing else is.
    named = [seq for first, lost, _ in found.damage for seq in range(first, first + lost)]
    assert sorted(seqs + named) == list(range(FIRST, seqs[-1] + 1 if seqs else FIRST))


@settings(max_examples=300)
@given(st.binary(max_size=3000), st.integers(0, 2**63))
def test_garbage_is_no_segment(data: bytes, first_seq: int) -> None:
    """Random bytes hold no record, and are damage, not an error."""
    found = scan(data, PRODUCER, first_seq)
    assert found.records == []
    assert found.damage


@settings(max_examples=150)
@given(st.booleans(), st.lists(HURTS, max_size=2), st.booleans())
def test_a_recovery_commits_what_is_readable_once(
    used: bool, hurts: list[Hurt], followed: bool
) -> None:
    """Each readable record once, in order, a gap for each stretch, the damaged file kept."""
    data = hurt_segment(used, hurts)
    found = scan(data, PRODUCER, FIRST)
    later = heads(3, FIRST + COUNT)
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        hurt_file = directory / f"{PRODUCER}-{FIRST:016d}{SEGMENT_SUFFIX}"
        hurt_file.write_bytes(data)
        (directory / f"{PRODUCER}{OWNER_SUFFIX}").touch()
        if followed:
            next_file = Segment(directory / "x.new", SIZE)
            next_file.begin(
                directory / f"{PRODUCER}-{FIRST + COUNT:016d}{SEGMENT_SUFFIX}",
                PRODUCER,
                FIRST + COUNT,
            )
            rest = b"".join(record(body, seq) for seq, body in enumerate(later, FIRST + COUNT))
            next_file.map[RECORDS_FROM : RECORDS_FROM + len(rest)] = rest
        ledger = MemoryLedger(ENCODER)
        results = recover(directory, ledger, ENCODER)
        told = [entry for entry in ledger.entries if entry.type != "audit.gap"]
        gaps = [entry for entry in ledger.entries if entry.type == "audit.gap"]
        readable = found.records + (list(enumerate(later, FIRST + COUNT)) if followed else [])
        assert [entry.body for entry in told] == [
            with_producer(head, PRODUCER, seq) for seq, head in readable
        ]
        assert all(gap.payload["cause"] == "unreadable" for gap in gaps)
        covered: list[int] = []
        for entry in ledger.entries:
            last = entry.payload["last_seq"] if entry in gaps else entry.producer_seq
            covered += range(entry.producer_seq, last + 1)
        assert covered == list(range(FIRST, covered[-1] + 1 if covered else FIRST))
        if followed:
            assert covered[-1] == FIRST + COUNT + 2
        torn = not followed and bool(found.damage) and found.damage[-1].lost == 0
        torn = torn and found.damage[-1].offset > 0 and is_torn(data, found.damage[-1].offset)
        damaged = len(found.damage) > torn or len(gaps) > 0
        left = {file.name for file in directory.iterdir()} - {"recovery.lock"}
        assert left == ({hurt_file.name + DAMAGED_SUFFIX} if damaged else set())
        if damaged:
            (result,) = results
            assert result.torn == torn
            assert result.kept == [hurt_file.name + DAMAGED_SUFFIX]
            assert (directory / result.kept[0]).read_bytes() == data
        before = list(ledger.entries)
        # Done again, as after a crash before the files were gone.
        hurt_file.write_bytes(data)
        (directory / f"{PRODUCER}{OWNER_SUFFIX}").touch()
        recover(directory, ledger, ENCODER)
        assert recover(directory, ledger, ENCODER) == []
        told_again = [entry for entry in ledger.entries if entry.type != "audit.gap"]
        assert told_again == told
        assert ledger.entries[: len(before)] == before
        ledger.close()
