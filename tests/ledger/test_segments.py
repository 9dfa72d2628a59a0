"""A segment file: what is read of it, whatever became of it."""

import errno
import os
from pathlib import Path
from zlib import crc32

import pytest

from minutebook.actors.ledger.segments import (
    END,
    RECORD_HEADER,
    RECORDS_FROM,
    SPARE_SUFFIX,
    Damage,
    Segment,
    is_torn,
    scan,
)
from minutebook.actors.ledger.spares import Spares

PRODUCER = "0a" * 16
SIZE = 4096
BODIES = [b"body %d" % number * (number + 1) for number in range(8)]


def record(body: bytes, seq: int) -> bytes:
    return RECORD_HEADER.pack(len(body), crc32(body), seq, seq) + body


def offset_of(place: int) -> int:
    return RECORDS_FROM + sum(RECORD_HEADER.size + len(body) for body in BODIES[:place])


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    made = Segment(tmp_path / "x.new", SIZE)
    made.begin(tmp_path / "x.journal", PRODUCER, 100)
    return made


def fill(segment: Segment, bodies: list[bytes], first_seq: int) -> None:
    written = b"".join(record(body, seq) for seq, body in enumerate(bodies, first_seq)) + END
    segment.map[RECORDS_FROM : RECORDS_FROM + len(written)] = written


def read(segment: Segment) -> bytearray:
    return bytearray(segment.path.read_bytes())


def numbered(first: int, bodies: list[bytes]) -> list[tuple[int, bytes]]:
    return list(enumerate(bodies, first))


def test_the_layout_is_the_documented_one(segment: Segment) -> None:
    """The table of the module's docstring, byte by byte: other processes read it."""
    fill(segment, [b"abc"], 100)
    data = bytes(read(segment))
    assert len(data) == SIZE
    assert data[:8] == b"MBJOURN2"
    assert data[8:40] == PRODUCER.encode()
    assert data[40:48] == (100).to_bytes(8, "little")
    assert data[48:64] == bytes(16)
    assert data[64:68] == (3).to_bytes(4, "little")
    assert data[68:72] == crc32(b"abc").to_bytes(4, "little")
    assert data[72:80] == data[80:88] == (100).to_bytes(8, "little")
    assert data[88:91] == b"abc"
    assert data[91:] == bytes(SIZE - 91)


def test_what_was_written_is_read(segment: Segment) -> None:
    """A sound segment has all its records and no damage."""
    fill(segment, BODIES, 100)
    found = scan(bytes(read(segment)), PRODUCER, 100)
    assert (found.records, found.damage) == (numbered(100, BODIES), [])
    assert found.end == offset_of(len(BODIES))


def test_an_empty_one_has_nothing(segment: Segment) -> None:
    """A segment that was only begun is no damage."""
    assert scan(bytes(read(segment)), PRODUCER, 100) == ([], [], RECORDS_FROM)


def test_a_used_file_is_emptied_for_the_next_use(segment: Segment) -> None:
    """What stands behind the last record must be zeros."""
    fill(segment, BODIES, 100)
    segment.end = offset_of(len(BODIES))
    segment.retire()
    segment.begin(segment.path.with_name("y.journal"), PRODUCER, 108)
    assert scan(bytes(read(segment)), PRODUCER, 108) == ([], [], RECORDS_FROM)


def test_records_of_earlier_numbers_are_not_read_again(segment: Segment) -> None:
    """Even where the places agree."""
    fill(segment, BODIES, 100)
    segment.begin(segment.path.with_name("y.journal"), PRODUCER, 108)
    # The first record is as long as it was, so that the second stands where it always did.
    first = BODIES[0][:-1] + b"!"
    segment.map[RECORDS_FROM : offset_of(1)] = record(first, 108)
    found = scan(bytes(read(segment)), PRODUCER, 108)
    assert found.records == [(108, first)]


def test_a_body_without_its_header_is_the_end(segment: Segment) -> None:
    """Who dies between the two copies leaves a segment that ends before the record."""
    fill(segment, BODIES, 100)
    start, end = offset_of(7), offset_of(7) + RECORD_HEADER.size
    segment.map[start:end] = END
    found = scan(bytes(read(segment)), PRODUCER, 100)
    assert (found.records, found.damage) == (numbered(100, BODIES[:7]), [])


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("part", ["header", "body"])
@pytest.mark.parametrize("how", ["flipped", "zeroed"])
def test_what_is_behind_a_damaged_record_is_found(
    segment: Segment, place: int, part: str, how: str
) -> None:
    """One damaged record costs no other, and the damage says which it was."""
    fill(segment, BODIES, 100)
    data = read(segment)
    start = offset_of(place) + (0 if part == "header" else RECORD_HEADER.size)
    stop = start + RECORD_HEADER.size if part == "header" else offset_of(place + 1)
    for at in range(start, stop):
        data[at] = 0 if how == "zeroed" else data[at] ^ 0xFF
    found = scan(bytes(data), PRODUCER, 100)
    everything = numbered(100, BODIES)
    assert found.records == everything[:place] + everything[place + 1 :]
    assert found.damage == [Damage(100 + place, 1, offset_of(place))]


def test_a_long_stretch_is_one_damage(segment: Segment) -> None:
    """Several lost records next to each other are counted together."""
    fill(segment, BODIES, 100)
    data = read(segment)
    data[offset_of(2) + 3 : offset_of(6) - 2] = bytes(offset_of(6) - 2 - offset_of(2) - 3)
    found = scan(bytes(data), PRODUCER, 100)
    assert [seq for seq, _ in found.records] == [100, 101, 106, 107]
    assert found.damage == [Damage(102, 4, offset_of(2))]


@pytest.mark.parametrize("first_seq", [2**24 - 4, 2**32 - 4, 2**40 - 4])
def test_it_is_found_where_the_numbers_carry_over(segment: Segment, first_seq: int) -> None:
    """The search looks at the high bytes of the numbers, which may change on the way."""
    segment.begin(segment.path, PRODUCER, first_seq)
    fill(segment, BODIES, first_seq)
    data = read(segment)
    data[offset_of(1)] ^= 1
    data[offset_of(3) + RECORD_HEADER.size : offset_of(6)] = bytes(
        offset_of(6) - offset_of(3) - RECORD_HEADER.size
    )
    found = scan(bytes(data), PRODUCER, first_seq)
    assert [seq - first_seq for seq, _ in found.records] == [0, 2, 6, 7]


def test_a_torn_end_is_reported_once(segment: Segment) -> None:
    """A last record that is cut off ends the segment, with nothing known to be lost."""
    fill(segment, BODIES, 100)
    data = read(segment)
    data[offset_of(7) + RECORD_HEADER.size + 5] ^= 1
    found = scan(bytes(data), PRODUCER, 100)
    assert found.records == numbered(100, BODIES[:7])
    assert found.damage == [Damage(107, 0, offset_of(7))]


EVENT = b'{"id":"1","type":"x.y","payload":{"n":1}'


@pytest.mark.parametrize(
    ("end", "torn"),
    [
        (record(EVENT, 0)[:-1], True),
        (record(EVENT, 0)[:20], True),
        (record(EVENT, 0)[:3], True),
        (bytes(6) + record(EVENT, 0)[6:30], True),
        (bytes(5) + record(EVENT, 0)[5:], True),
        (record(EVENT, 0)[:20] + bytes(9) + record(EVENT, 0)[29:], True),
        (record(EVENT, 1), False),
        (record(EVENT, 0)[:-2] + b"2}", False),
        (bytes([record(EVENT, 0)[0] ^ 1]) + record(EVENT, 0)[1:], False),
        (record(EVENT, 1) + record(EVENT, 2)[:-1], False),
    ],
)
def test_a_record_that_a_process_died_in_is_told_from_one_that_was_damaged(
    end: bytes, torn: bool
) -> None:
    """By the zeros in it, or by its missing end; two of them are no one's last."""
    before = bytes(RECORDS_FROM)
    assert is_torn(before + end + bytes(500), len(before)) is torn


@pytest.mark.parametrize("cut", [0, 1, RECORDS_FROM - 1, RECORDS_FROM, RECORDS_FROM + 1])
def test_a_file_that_ends_too_early_is_damaged(segment: Segment, cut: int) -> None:
    """Even one that ends where a record ends: a segment ends in zeros."""
    fill(segment, BODIES, 100)
    assert scan(bytes(read(segment)[:cut]), PRODUCER, 100).damage
    at_a_border = scan(bytes(read(segment)[: offset_of(3)]), PRODUCER, 100)
    assert at_a_border.records == numbered(100, BODIES[:3])
    assert at_a_border.damage == [Damage(103, 0, offset_of(3))]


def test_a_broken_header_costs_no_record(segment: Segment) -> None:
    """The file's name says the same, so the records are read all the same."""
    fill(segment, BODIES, 100)
    data = read(segment)
    data[:RECORDS_FROM] = os.urandom(RECORDS_FROM)
    found = scan(bytes(data), PRODUCER, 100)
    assert found.records == numbered(100, BODIES)
    assert found.damage == [Damage(100, 0, 0)]


def test_a_record_counts_only_under_its_own_number(segment: Segment) -> None:
    """A record that is copied to another place, or whose number is changed, is none."""
    fill(segment, BODIES, 100)
    data = read(segment)
    data[offset_of(2) + 8] += 1
    assert 102 not in dict(scan(bytes(data), PRODUCER, 100).records)
    assert scan(bytes(data), PRODUCER, 100).damage == [Damage(102, 1, offset_of(2))]


def test_a_retired_file_has_no_name_that_a_recovery_reads(segment: Segment) -> None:
    """What is in it is committed, and must not be reported when it is damaged later."""
    segment.retire()
    assert segment.path.suffix == SPARE_SUFFIX
    assert segment.path.exists()
    segment.begin(segment.path.with_suffix(".journal"), PRODUCER, 7)
    assert [path.suffix for path in segment.path.parent.iterdir()] == [".journal"]


def test_retiring_a_file_that_is_gone_is_harmless(segment: Segment) -> None:
    """The thread that takes must not fail because of a file that is of no use any more."""
    segment.path.unlink()
    Spares(segment.path.parent, PRODUCER, SIZE).put_back(segment)
    segment.remove()


def test_a_file_whose_name_stays_keeps_what_is_in_it(segment: Segment) -> None:
    """A recovery that finds it would take zeros for damage."""
    fill(segment, BODIES, 100)
    before = read(segment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(5, "failed")))
        Spares(segment.path.parent, PRODUCER, SIZE).put_back(segment)
    assert read(segment) == before


def test_a_file_is_made_anew_and_in_full(tmp_path: Path) -> None:
    """Its blocks are there before it is mapped; an existing file is never taken over."""
    made = Segment(tmp_path / "a", 1 << 20)
    assert made.path.stat().st_blocks * 512 >= 1 << 20
    assert made.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        Segment(tmp_path / "a", 1 << 20)
    assert made.path.stat().st_size == 1 << 20


def test_no_room_is_an_error_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that could not be allocated in full is not left behind."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        Segment(tmp_path / "a", 1 << 20)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_allocates_the_zeros_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write may take only a part of them, and then goes on."""
    real = os.write
    monkeypatch.delattr(os, "posix_fallocate")
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:100_000]))
    made = Segment(tmp_path / "a", 1 << 20)
    assert made.path.read_bytes() == bytes(1 << 20)
    made.remove()


def test_a_file_that_somebody_is_just_working_on_can_be_deleted(segment: Segment) -> None:
    """It is unmapped when they are done with it."""
    used = memoryview(segment.map)
    segment.remove()
    assert not segment.path.exists()
    used[RECORDS_FROM] = 1
    used.release()
