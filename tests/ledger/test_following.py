"""Reading a journal while it grows: all of it, in order, and nothing that is not there yet."""

import threading
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from minutebook.actors.ledger.following import Follower
from minutebook.actors.ledger.journal import SEGMENT_BYTES, Journal
from minutebook.actors.ledger.segments import RECORD_HEADER, RECORDS_FROM
from minutebook.actors.ledger.taking import TAKEN_BYTES_MAX
from minutebook.domain.encoding import with_producer
from tests.contract.trail import PRODUCER, WAIT_S


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "audit.db.journal.d"


@pytest.fixture
def journal(directory: Path) -> Iterator[Journal]:
    made = Journal(directory, PRODUCER, event_bytes_max=1024)
    yield made
    made.end(keep=False)


def head_of(number: int, size: int = 0) -> bytes:
    return b'{"n":%d,"x":"%b"' % (number, b"x" * size)


def test_what_is_appended_is_read_once_and_in_order(journal: Journal, directory: Path) -> None:
    follower = Follower(directory, PRODUCER, 0)
    assert follower.read(10) == []
    for number in range(5):
        journal.append(head_of(number))
    expected = [with_producer(head_of(number), PRODUCER, number) for number in range(5)]
    assert (follower.read(2), follower.at_end) == (expected[:2], False)
    assert (follower.read(10), follower.at_end) == (expected[2:], True)
    assert (follower.read(10), follower.seq, follower.at_end) == ([], 5, True)
    follower.close()


def test_large_events_are_read_a_few_at_a_time(directory: Path) -> None:
    mebibyte = 1 << 20
    journal = Journal(directory, PRODUCER, event_bytes_max=mebibyte)
    follower = Follower(directory, PRODUCER, 0)
    for number in range(20):
        journal.append(head_of(number, mebibyte - 500))
    read = [follower.read(4096) for _ in range(3)]
    assert [len(bodies) for bodies in read] == [9, 9, 2]
    assert all(sum(map(len, bodies)) < 2 * TAKEN_BYTES_MAX for bodies in read)
    follower.close()
    journal.end(keep=False)


@pytest.mark.parametrize("start", [0, 1, 2, 4, 5, 9])
def test_it_may_begin_anywhere(journal: Journal, directory: Path, start: int) -> None:
    """Two records a segment: at the beginning, in the middle and at the end of one."""
    for number in range(9):
        journal.append(head_of(number, SEGMENT_BYTES // 3))
    follower = Follower(directory, PRODUCER, start)
    read = follower.read(6) + follower.read(6)
    assert read == [
        with_producer(head_of(number, SEGMENT_BYTES // 3), PRODUCER, number)
        for number in range(start, 9)
    ]
    journal.append(head_of(9))
    assert follower.read(100) == [with_producer(head_of(9), PRODUCER, 9)]


def test_a_segment_that_was_begun_in_vain_is_not_gone_on_with(
    journal: Journal, directory: Path
) -> None:
    """A short event may still go into the one before, and then takes the number."""
    journal.append(head_of(0, SEGMENT_BYTES - 400))
    follower = Follower(directory, PRODUCER, 0)
    assert len(follower.read(10)) == 1
    given_up = journal._chain.begin(1)
    assert follower.read(10) == []
    journal.append(head_of(1))
    assert len(follower.read(10)) == 1
    journal._chain.give_back(given_up)
    journal.append(head_of(2, 900))
    assert follower.read(10) == [with_producer(head_of(2, 900), PRODUCER, 2)]


def test_a_record_that_is_written_in_part_is_not_there_yet(
    journal: Journal, directory: Path
) -> None:
    body = head_of(0, 300)
    record = RECORD_HEADER.pack(len(body), crc32(body), 0, 0) + body
    follower = Follower(directory, PRODUCER, 0)
    mapped = journal._chain.last.map
    for written in (4, 16, 17, len(record) - 1):
        mapped[RECORDS_FROM : RECORDS_FROM + written] = record[:written]
        assert follower.read(10) == []
    mapped[RECORDS_FROM : RECORDS_FROM + len(record)] = record
    assert follower.read(10) == [with_producer(body, PRODUCER, 0)]


def test_it_keeps_up_while_segments_are_used_again(directory: Path) -> None:
    """What it has read is released, as by a writer that has committed it."""
    journal = Journal(
        directory, PRODUCER, event_bytes_max=1024, backlog_max=3000, block_timeout_s=WAIT_S
    )
    count = 20_000

    def tell() -> None:
        for number in range(count):
            journal.append(head_of(number, 900 if number % 3 else 20))

    thread = threading.Thread(target=tell)
    thread.start()
    follower = Follower(directory, PRODUCER, 0)
    seen = 0
    while seen < count:
        for body in follower.read(200):
            assert body.startswith(b'{"n":%d,' % seen)
            assert body.endswith(b'"producer_seq":%d}' % seen)
            seen += 1
        assert journal.release_to(seen) == []
        journal.prepare()
    thread.join(WAIT_S)
    assert len(list(directory.glob("*.journal"))) == 1
    journal.end(keep=False)
