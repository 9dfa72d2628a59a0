"""The journal within one process: numbers, room, refusals, and the files on the disk."""

import contextlib
import errno
import fcntl
import itertools
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.ledger.journal import SEGMENT_BYTES, Journal
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.owner import OWNER_SUFFIX
from minutebook.actors.ledger.recovery import recover
from minutebook.actors.ledger.segments import (
    END,
    RECORD_HEADER,
    RECORDS_FROM,
    SEGMENT_SUFFIX,
    SPARE_SUFFIX,
    Segment,
    scan,
)
from minutebook.actors.ledger.spares import SPARES_MAX, Spares
from minutebook.actors.ledger.taking import TAKEN_BYTES_MAX
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.errors import AuditBacklogFull, AuditClosed, JournalError
from tests.contract.trail import (
    PRODUCER,
    WAIT_S,
    Counted,
    run_child,
    start_child,
    wait_until,
)

ROOM = SEGMENT_BYTES - RECORDS_FROM - len(END)
"""What records have of a segment."""


MakeJournal = Callable[..., Journal]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "audit.db.journal.d"


@pytest.fixture
def new_journal(directory: Path) -> Iterator[MakeJournal]:
    made: list[Journal] = []

    def make(**settings: Any) -> Journal:
        made.append(Journal(directory, PRODUCER, **({"event_bytes_max": 1024} | settings)))
        return made[-1]

    yield make
    for journal in made:
        with contextlib.suppress(OSError):
            journal.end(keep=False)


def head_of(size: int, mark: bytes = b"x") -> bytes:
    """A head whose record takes exactly so many bytes."""
    return mark * (size - RECORD_HEADER.size)


def take_all(journal: Journal) -> list[bytes]:
    bodies: list[bytes] = []
    while journal.untaken:
        bodies += journal.take(7)[0]
    return bodies


def seqs_of(bodies: list[bytes]) -> list[int]:
    return [int(re.findall(rb'"producer_seq":(\d+)}$', body)[0]) for body in bodies]


def files(directory: Path, suffix: str) -> list[str]:
    return sorted(path.name for path in directory.glob(f"*{suffix}"))


def read_back(directory: Path) -> list[bytes]:
    """What a recovery would find on the disk."""
    found: list[bytes] = []
    for path in sorted(directory.glob(f"{PRODUCER}-*{SEGMENT_SUFFIX}")):
        one = scan(path.read_bytes(), PRODUCER, int(path.stem.rpartition("-")[2]))
        assert not one.damage
        found += [with_producer(head, PRODUCER, seq) for seq, head in one.records]
    return found


# -- numbers ------------------------------------------------------------------


def test_what_is_taken_is_what_was_appended(new_journal: MakeJournal, directory: Path) -> None:
    """Bodies are the heads with the producer's fields behind, in order, also on the disk."""
    journal = new_journal()
    heads = [b'{"n":%d' % number for number in range(50)]
    for head in heads:
        journal.append(head)
    expected = [with_producer(head, PRODUCER, seq) for seq, head in enumerate(heads)]
    assert read_back(directory) == expected
    assert (journal.backlog, journal.next_seq) == (50, 50)
    assert take_all(journal) == expected
    assert journal.backlog == 50
    journal.release()
    assert (journal.backlog, journal.committed_seq) == (0, 50)


def test_large_events_are_taken_a_few_at_a_time(new_journal: MakeJournal) -> None:
    """However many are asked for: all of a transaction is in memory at once."""
    size = 100_000
    journal = new_journal(event_bytes_max=size)
    heads = [b'{"n":%d,"x":"%b"' % (number, b"x" * (size - 200)) for number in range(200)]
    for head in heads:
        journal.append(head)
    taken: list[bytes] = []
    takes = 0
    while journal.untaken:
        bodies, _ = journal.take(4096)
        assert sum(map(len, bodies)) < 2 * TAKEN_BYTES_MAX
        taken += bodies
        takes += 1
    assert takes > 1
    assert taken == [with_producer(head, PRODUCER, seq) for seq, head in enumerate(heads)]


def test_replies_come_with_the_bodies_that_they_belong_to(new_journal: MakeJournal) -> None:
    """A reply is handed out once, by the place of its body in what was taken."""
    journal = new_journal()
    for number in range(6):
        journal.append_asked(b"{", "four") if number == 4 else journal.append(b"{")
    assert journal.take(3)[1] == {}
    bodies, replies = journal.take(3)
    assert (seqs_of(bodies), replies) == ([3, 4, 5], {1: "four"})
    journal.append_asked(b"{", "six")
    assert journal.pending_replies() == ["six"]
    assert journal.pending_replies() == []
    assert journal.take(3) == ([with_producer(b"{", PRODUCER, 6)], {})


def test_only_the_append_after_waiting_wakes(new_journal: MakeJournal) -> None:
    """Who sleeps says so first, and is woken once."""
    journal = new_journal()
    assert not journal.append(b"{")
    journal.waiting = True
    assert journal.append(b"{")
    assert not journal.append(b"{")


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_share_numbers_without_a_hole(new_journal: MakeJournal, threads: int) -> None:
    """Each number once, each thread's events in its order, while another thread takes."""
    each = 3000
    journal = new_journal(event_bytes_max=1024, backlog_max=500, block_timeout_s=WAIT_S)
    done = threading.Event()
    taken: list[bytes] = []

    def run(who: int) -> None:
        for number in range(each):
            journal.append(b'{"who":%d,"number":%d,"note":"%b"' % (who, number, b"n" * 600))

    def take() -> None:
        while not done.is_set() or journal.untaken:
            taken.extend(journal.take(64)[0])
            journal.release()
            journal.prepare()

    taker = threading.Thread(target=take)
    tellers = [threading.Thread(target=run, args=(who,)) for who in range(threads)]
    for thread in [taker, *tellers]:
        thread.start()
    for thread in tellers:
        thread.join()
    done.set()
    taker.join()
    assert seqs_of(taken) == list(range(threads * each))
    said = [re.findall(rb'^{"who":(\d+),"number":(\d+)', body)[0] for body in taken]
    for who in range(threads):
        numbers = [int(number) for teller, number in said if int(teller) == who]
        assert numbers == list(range(each))


def test_signal_handlers_tell_in_the_middle_of_a_tell(
    new_journal: MakeJournal, directory: Path
) -> None:
    """Whatever they interrupt, nobody's event is lost, doubled or torn, at rotations too."""
    journal = new_journal(backlog_max=10**6)
    counts = {"main": 0, "handler": 0}

    def tell(who: str, size: int) -> None:
        number = counts[who]
        counts[who] += 1
        journal.append(b'{"who":"%b","number":%d,"n":"%b"' % (who.encode(), number, b"n" * size))

    def handler(*_: object) -> None:
        tell("handler", 3 if counts["handler"] % 2 else 900)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        while counts["main"] < 12_000:
            tell("main", 900)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    tell("main", 1)
    assert counts["handler"] > 20
    assert journal.backlog == journal.next_seq == sum(counts.values())
    taken = take_all(journal)
    assert seqs_of(taken) == list(range(sum(counts.values())))
    for who, count in counts.items():
        numbers = re.findall(rb'"who":"%b","number":(\d+)' % who.encode(), b"".join(taken))
        assert sorted(map(int, numbers)) == list(range(count))
    assert read_back(directory) == taken


class Interrupted(Journal):
    """A journal in whose making of a segment a signal handler tells something."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.handlers: list[Callable[[], object]] = []
        super().__init__(*arguments, **settings)
        make = self._chain._spares._make

        def interrupted() -> Segment:
            made = make()
            if self.handlers:
                self.handlers.pop()()
            return made

        self._chain._spares._make = interrupted  # type: ignore[method-assign]


@pytest.fixture
def interrupted(directory: Path) -> Iterator[Interrupted]:
    journal = Interrupted(directory, PRODUCER, event_bytes_max=1024)
    yield journal
    journal.end(keep=False)


def fill(journal: Journal, left: int) -> None:
    """Fill the first segment so that exactly so many bytes of it are left."""
    journal.append(head_of(ROOM - left))


def test_a_short_event_of_a_handler_goes_into_what_is_left(interrupted: Interrupted) -> None:
    """While the next segment is begun, what still fits is written at once."""
    fill(interrupted, 200)
    interrupted.handlers.append(lambda: interrupted.append(head_of(200, b"h")))
    interrupted.append(head_of(300, b"m"))
    taken = take_all(interrupted)
    assert [body[:1] for body in taken] == [b"x", b"h", b"m"]
    assert seqs_of(taken) == [0, 1, 2]
    assert read_back(interrupted.directory) == taken


def test_a_long_event_of_a_handler_comes_next(interrupted: Interrupted) -> None:
    """What does not fit is written by the interrupted thread, behind its own event."""
    fill(interrupted, 200)
    interrupted.handlers.append(lambda: interrupted.append(head_of(201, b"h")))
    interrupted.append(head_of(300, b"m"))
    assert [body[:1] for body in take_all(interrupted)] == [b"x", b"m", b"h"]


def test_a_handler_takes_no_name_from_a_segment_that_is_begun(
    interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when the file has its name, and is not in use yet."""
    fill(interrupted, 200)
    begin = interrupted._chain.begin

    def interrupted_behind(seq: int) -> Segment:
        begun = begin(seq)
        monkeypatch.undo()
        interrupted.append(head_of(201, b"h"))
        return begun

    monkeypatch.setattr(interrupted._chain, "begin", interrupted_behind)
    interrupted.append(head_of(300, b"m"))
    taken = take_all(interrupted)
    assert [body[:1] for body in taken] == [b"x", b"m", b"h"]
    assert read_back(interrupted.directory) == taken


def test_a_segment_is_not_begun_twice_for_the_same_number(
    interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler has begun it when its thread was about to."""
    fill(interrupted, 200)
    begin = interrupted._begin_following

    def interrupted_before(state: Any) -> bool:
        monkeypatch.undo()
        interrupted.append(head_of(201, b"h"))
        return begin(state)

    monkeypatch.setattr(interrupted, "_begin_following", interrupted_before)
    interrupted.append(head_of(300, b"m"))
    taken = take_all(interrupted)
    assert [body[:1] for body in taken] == [b"x", b"h", b"m"]
    assert read_back(interrupted.directory) == taken


def test_a_handler_cannot_ask_for_what_its_thread_is_to_write(interrupted: Interrupted) -> None:
    """It would wait for itself, so it is refused, and its event is not taken."""
    fill(interrupted, 200)
    said: list[str] = []

    def ask() -> None:
        with pytest.raises(AuditBacklogFull) as refused:
            interrupted.append_asked(head_of(300, b"h"), "reply")
        said.append(str(refused.value))

    interrupted.handlers.append(ask)
    interrupted.append(head_of(300, b"m"))
    assert said[0].endswith("tell it, or ask again later.")
    assert [body[:1] for body in take_all(interrupted)] == [b"x", b"m"]


def test_a_handlers_event_outlives_its_threads_failure(
    interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tell had returned: it counts as waiting, and is written as soon as there is room."""
    fill(interrupted, 200)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    interrupted.handlers.append(lambda: interrupted.append(head_of(300, b"h")))
    monkeypatch.setattr(Segment, "begin", fail)
    with pytest.raises(JournalError):
        interrupted.append(head_of(300, b"m"))
    assert interrupted.backlog == 2
    # It fits now, and is not to blame for the late one, for which there is no room yet.
    assert not interrupted.append(head_of(100, b"s"))
    monkeypatch.undo()
    assert [body[:1] for body in take_all(interrupted)] == [b"x", b"s"]
    interrupted.release()
    assert [body[:1] for body in take_all(interrupted)] == [b"h"]


def test_closing_writes_what_a_handler_told(
    interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was put off is accepted, so it comes before the end."""
    fill(interrupted, 200)
    interrupted.handlers.append(lambda: interrupted.append(head_of(300, b"h")))
    with monkeypatch.context() as full:
        full.setattr(Segment, "begin", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(JournalError):
            interrupted.append(head_of(300, b"m"))
    interrupted.close("closed; open it.")
    assert [body[:1] for body in take_all(interrupted)] == [b"x", b"h"]


# -- segments -----------------------------------------------------------------


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_segment_is_filled_to_the_last_byte(
    new_journal: MakeJournal, directory: Path, over: int
) -> None:
    """A record that fits exactly stays; one byte more begins the next segment."""
    journal = new_journal()
    fill(journal, 500)
    journal.append(head_of(500 + over))
    names = [f"{PRODUCER}-{0:016d}{SEGMENT_SUFFIX}", f"{PRODUCER}-{1:016d}{SEGMENT_SUFFIX}"]
    assert files(directory, SEGMENT_SUFFIX) == names[: 2 if over > 0 else 1]
    journal.append(head_of(600))
    assert len(files(directory, SEGMENT_SUFFIX)) == 2
    on_disk = read_back(directory)
    assert seqs_of(on_disk) == [0, 1, 2]
    assert take_all(journal) == on_disk


def test_the_largest_body_fills_a_whole_segment(new_journal: MakeJournal) -> None:
    """It is taken; one byte more is refused at once, and not looked for room for ever."""
    journal = new_journal()
    journal.append(b"{")
    journal.append(head_of(ROOM))
    with pytest.raises(JournalError, match="raise event_bytes_max"):
        journal.append(head_of(ROOM + 1))
    journal.append(b"{")
    taken = take_all(journal)
    assert seqs_of(taken) == [0, 1, 2]
    assert taken[1] == with_producer(head_of(ROOM), PRODUCER, 1)


@pytest.mark.parametrize("event_bytes_max", [SEGMENT_BYTES // 4, SEGMENT_BYTES])
def test_events_of_the_largest_allowed_size_fit(
    new_journal: MakeJournal, directory: Path, event_bytes_max: int
) -> None:
    """Segments grow with event_bytes_max, to four events at least."""
    journal = new_journal(event_bytes_max=event_bytes_max)
    heads = [bytes([65 + number]) * (event_bytes_max - 1) for number in range(9)]
    for head in heads:
        journal.append(head)
    assert take_all(journal) == read_back(directory)
    assert {path.stat().st_size for path in directory.glob(f"*{SEGMENT_SUFFIX}")} == {
        max(SEGMENT_BYTES, 4 * event_bytes_max)
    }


def test_committed_segments_are_used_again(new_journal: MakeJournal, directory: Path) -> None:
    """However much is told, there are never more files than the backlog and the spares need."""
    journal = new_journal()
    made = set()
    for _ in range(40):
        for _ in range(3):
            journal.append(head_of(ROOM // 2))
        take_all(journal)
        journal.release()
        journal.prepare()
        made |= {path.stat().st_ino for path in directory.glob("*[lw]")}
        assert len(files(directory, SEGMENT_SUFFIX)) == 1
        assert len(files(directory, SPARE_SUFFIX)) <= SPARES_MAX
    assert len(made) <= SPARES_MAX + 3


def test_spares_beyond_the_few_are_deleted(new_journal: MakeJournal, directory: Path) -> None:
    """After a long backlog the disk is given back."""
    journal = new_journal()
    for _ in range(20):
        journal.append(head_of(ROOM - 1))
    assert len(files(directory, SEGMENT_SUFFIX)) == 20
    take_all(journal)
    journal.release()
    assert len(files(directory, SEGMENT_SUFFIX)) == 1
    assert len(files(directory, SPARE_SUFFIX)) == SPARES_MAX


def test_what_is_not_released_stays(new_journal: MakeJournal, directory: Path) -> None:
    """Taking alone frees nothing: a recovery still finds it."""
    journal = new_journal()
    for _ in range(5):
        journal.append(head_of(ROOM))
    taken = take_all(journal)
    assert read_back(directory) == taken
    journal.release()
    assert read_back(directory) == taken[-1:]


# -- bounds -------------------------------------------------------------------


def test_a_full_backlog_is_refused_at_once(new_journal: MakeJournal) -> None:
    """With reject nobody waits, nothing is taken, and a release makes room for as many."""
    journal = new_journal(backlog_max=3, overflow="reject")
    for _ in range(3):
        journal.append(b"{")
    for _ in range(2):
        with pytest.raises(AuditBacklogFull, match=r"^3 events wait .* tell it again\.$"):
            journal.append_asked(b"{", "reply")
    assert (journal.next_seq, journal.pending_replies()) == (3, [])
    journal.take(2)
    with pytest.raises(AuditBacklogFull):
        journal.append(b"{")
    journal.release()
    journal.append(b"{")
    journal.append(b"{")
    with pytest.raises(AuditBacklogFull):
        journal.append(b"{")
    assert seqs_of(take_all(journal)) == [2, 3, 4]


def test_who_takes_is_hurried_once_when_half_of_the_backlog_is_reached(
    new_journal: MakeJournal,
) -> None:
    """And again after a release; else it might look too late, and callers would be refused."""
    journal = new_journal(backlog_max=10, overflow="reject")
    hurried: list[int] = []
    journal.hurry = lambda: hurried.append(journal.next_seq)
    for _ in range(10):
        journal.append(b"{")
    assert hurried == [5]
    with pytest.raises(AuditBacklogFull):
        journal.append(b"{")
    assert hurried == [5, 10]
    journal.take(6)
    journal.release()
    for _ in range(6):
        journal.append(b"{")
    assert hurried == [5, 10, 11]
    with pytest.raises(AuditBacklogFull):
        journal.append_asked(b"{", "reply")
    assert (journal.next_seq, hurried) == (16, [5, 10, 11, 16])


def test_who_takes_is_hurried_when_half_of_the_bytes_are_used(new_journal: MakeJournal) -> None:
    """With each segment that is begun from there on."""
    journal = new_journal(backlog_bytes_max=6 * SEGMENT_BYTES, overflow="reject")
    hurried: list[int] = []
    journal.hurry = lambda: hurried.append(journal._chain.begun)
    for _ in range(6):
        journal.append(head_of(ROOM))
    assert hurried == [3, 4, 5, 6]


@pytest.mark.parametrize("bytes_max", [0, 3 * SEGMENT_BYTES])
def test_bytes_are_bounded_too(new_journal: MakeJournal, directory: Path, bytes_max: int) -> None:
    """Whole segments count, and two there must be."""
    journal = new_journal(backlog_bytes_max=bytes_max, overflow="reject")
    segments = max(2, bytes_max // SEGMENT_BYTES)
    for _ in range(segments):
        journal.append(head_of(ROOM))
    with pytest.raises(AuditBacklogFull, match=f"^{segments} events wait"):
        journal.append(b"{")
    assert len(files(directory, SEGMENT_SUFFIX)) == segments
    take_all(journal)
    journal.release()
    for _ in range(segments - 1):
        journal.append(head_of(ROOM))
    with pytest.raises(AuditBacklogFull):
        journal.append(b"{")


def test_a_blocked_caller_is_refused_when_its_time_is_up(new_journal: MakeJournal) -> None:
    """With block it waits first; nothing was taken either."""
    journal = new_journal(backlog_max=1, overflow="block", block_timeout_s=0.05)
    journal.append(b"{")
    with pytest.raises(AuditBacklogFull, match=r"waiting 0\.05 s .* tell it again\.$"):
        journal.append(b"{")
    assert journal.next_seq == 1


@pytest.mark.parametrize("callers", [1, 12])
def test_blocked_callers_go_on_when_there_is_room(new_journal: MakeJournal, callers: int) -> None:
    """One release is enough for all whom it makes room for; none misses it."""
    for _ in range(20):
        journal = new_journal(backlog_max=callers, overflow="block", block_timeout_s=WAIT_S)
        for _ in range(callers):
            journal.append(b"{")
        threads = [threading.Thread(target=journal.append, args=(b"{",)) for _ in range(callers)]
        for thread in threads:
            thread.start()
        take_all(journal)
        journal.release()
        for thread in threads:
            thread.join(WAIT_S / 2)
        assert not any(thread.is_alive() for thread in threads)
        assert seqs_of(take_all(journal)) == list(range(callers, 2 * callers))
        journal.end(keep=False)


def test_many_callers_squeeze_through_a_backlog_of_one(new_journal: MakeJournal) -> None:
    """However often they are woken for a place that another one got, all come through."""
    journal = new_journal(backlog_max=1, overflow="block", block_timeout_s=WAIT_S)

    def run() -> None:
        for _ in range(200):
            journal.append(b"{")

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    taken: list[bytes] = []
    while len(taken) < 1200:
        taken += journal.take(5)[0]
        journal.release()
    for thread in threads:
        thread.join()
    assert seqs_of(taken) == list(range(1200))


class Overtaken(Journal):
    """A journal in which something happens while a caller is about to wait for room."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.about_to_wait: dict[int, Callable[[], object]] = {}
        super().__init__(*arguments, **settings)

    def _write(self, draft: bytes, crc: int, asked: Any, *, own_seq: int | None = None) -> bool:
        written = super()._write(draft, crc, asked, own_seq=own_seq)
        if not written and self._blocked and len(self._blocked) in self.about_to_wait:
            self.about_to_wait.pop(len(self._blocked))()
        return written


def test_a_caller_misses_no_release_that_another_one_sees(directory: Path) -> None:
    """Between its look and its wait, the release comes and wakes the other one."""
    journal = Overtaken(
        directory, PRODUCER, event_bytes_max=1024, backlog_max=2, block_timeout_s=WAIT_S
    )
    journal.append(b"{")
    journal.append(b"{")
    first, second = (threading.Thread(target=journal.append, args=(b"{",)) for _ in range(2))

    def release() -> None:
        # Another thread, for this one holds the lock, which the first is to get.
        journal._lock.release()
        take_all(journal)
        journal.release()
        first.join(WAIT_S)
        journal._lock.acquire()

    journal.about_to_wait = {2: release}
    first.start()
    wait_until(lambda: len(journal._blocked) == 1)
    second.start()
    second.join(WAIT_S / 2)
    assert not second.is_alive()
    assert seqs_of(take_all(journal)) == [2, 3]
    journal.end(keep=False)


# -- the end ------------------------------------------------------------------


def test_a_closed_journal_refuses(new_journal: MakeJournal) -> None:
    """With the first reason that was given; what was told can still be taken."""
    journal = new_journal()
    journal.append(b"{")
    journal.close("closed; open a new one.")
    journal.close("another reason.")
    with pytest.raises(AuditClosed, match=r"^closed; open a new one\.$"):
        journal.append(b"{")
    assert seqs_of(take_all(journal)) == [0]


def test_closing_wakes_who_is_blocked(new_journal: MakeJournal) -> None:
    """They learn of it at once, and not when their time is up."""
    journal = new_journal(backlog_max=1, block_timeout_s=WAIT_S)
    journal.append(b"{")
    said: list[str] = []

    def run() -> None:
        with pytest.raises(AuditClosed) as refused:
            journal.append(b"{")
        said.append(str(refused.value))

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: bool(journal._blocked))
    journal.close("closed; open a new one.")
    thread.join(WAIT_S)
    assert said == ["closed; open a new one."]


@pytest.mark.parametrize("keep", [True, False])
def test_the_end_keeps_or_deletes_the_files(
    new_journal: MakeJournal, directory: Path, keep: bool
) -> None:
    """Spares go in any case; the owner's lock is free afterwards."""
    journal = new_journal()
    for number in range(4):
        journal.append(head_of(ROOM, b"%d" % number))
    journal.take(2)
    journal.release()
    journal.prepare()
    journal.end(keep=keep)
    assert files(directory, SPARE_SUFFIX) == []
    assert len(files(directory, OWNER_SUFFIX)) == keep
    assert seqs_of(read_back(directory)) == ([2, 3] if keep else [])
    if not keep:
        assert list(directory.iterdir()) == []


def test_what_is_kept_is_recovered(
    new_journal: MakeJournal, directory: Path, encoder: Encoder
) -> None:
    """By the same process, too, once it has let go; and nothing is left then."""
    journal = new_journal()
    for number in range(3):
        journal.append(encoder.encode_head(Counted(who="x", number=number)))
    ledger = MemoryLedger(encoder)
    assert recover(directory, ledger, encoder) == []
    journal.end(keep=True)
    (result,) = recover(directory, ledger, encoder)
    assert (result.found, result.committed, result.damage) == (3, 3, [])
    assert [entry.payload["number"] for entry in ledger.entries] == [0, 1, 2]
    assert files(directory, "[!k]") == []


# -- the disk -----------------------------------------------------------------


def test_a_full_disk_is_an_error_and_loses_nothing(directory: Path, encoder: Encoder) -> None:
    """Not a SIGBUS: what was taken before is there, and it goes on when there is room."""
    child = run_child("tests.processes.journaling", directory, "full")
    assert (child.returncode, child.stderr) == (0, "")
    refused, total = child.stdout.splitlines()
    number, message = refused.split(" ", 1)
    assert int(number) > 500
    assert re.fullmatch(r"journal .*: File too large; make room on the disk, or .*", message)
    ledger = MemoryLedger(encoder)
    recover(directory, ledger, encoder)
    told = [entry.payload["number"] for entry in ledger.entries]
    assert told == list(range(int(total)))
    assert [entry.producer_seq for entry in ledger.entries] == told


def test_a_directory_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    """With what to do about it, and no owner's lock left behind."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="move it away"):
        Journal(tmp_path / "file" / "x", PRODUCER, event_bytes_max=1024)
    with pytest.raises(JournalError, match="make the directory writable"):
        Journal(tmp_path / "missing" / "x", PRODUCER, event_bytes_max=1024)


def test_a_failed_rotation_takes_nothing_and_can_be_tried_again(
    new_journal: MakeJournal, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number is used up, no file piles up, and no file number comes twice."""
    journal = new_journal()
    journal.append(head_of(ROOM))
    with monkeypatch.context() as full:
        full.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        for _ in range(5):
            with pytest.raises(JournalError, match="full"):
                journal.append(b"{")
    assert len(files(directory, SPARE_SUFFIX)) == 1
    journal.append(b"{")
    assert seqs_of(take_all(journal)) == [0, 1]


# -- whose it is --------------------------------------------------------------


def test_a_live_owner_is_left_alone(directory: Path, encoder: Encoder) -> None:
    """As long as the other process lives, its journal is not touched."""
    child = start_child("tests.processes.journaling", directory, "hold")
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    ledger = MemoryLedger(encoder)
    assert recover(directory, ledger, encoder) == []
    child.kill()
    child.communicate(timeout=WAIT_S)
    (result,) = recover(directory, ledger, encoder)
    assert (result.producer, result.committed) == ("0b" * 16, 1)


def test_a_forked_child_that_lets_go_does_not_free_the_lock(
    new_journal: MakeJournal, directory: Path, encoder: Encoder
) -> None:
    """It closes its copy; the parent's goes on holding, and the child is refused."""
    journal = new_journal()
    journal.append(encoder.encode_head(Counted(who="x", number=0)))
    child = os.fork()
    if child == 0:
        mapped = journal._state[0]
        journal.leave("forked; open your own.")
        try:
            journal.append(b"{")
        except AuditClosed:
            # Nothing here can write to the parent's files any more.
            os._exit(0 if mapped.closed else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert recover(directory, MemoryLedger(encoder), encoder) == []
    journal.append(encoder.encode_head(Counted(who="x", number=1)))
    assert len(read_back(directory)) == 2


def test_a_forked_child_does_not_hold_the_lock_on(directory: Path, encoder: Encoder) -> None:
    """When the parent dies first, its journal can be recovered while the child lives."""
    ready, says_ready = os.pipe()
    waits, ends = os.pipe()
    parent = os.fork()
    if parent == 0:
        journal = Journal(directory, PRODUCER, event_bytes_max=1024)
        journal.append(encoder.encode_head(Counted(who="x", number=0)))
        if os.fork() == 0:
            os.close(ends)
            os.write(says_ready, b"%d\n" % os.getpid())
            os.read(waits, 1)
        os._exit(0)
    os.close(waits)
    assert int(os.read(ready, 20)) > 0
    os.waitpid(parent, 0)
    (result,) = recover(directory, MemoryLedger(encoder), encoder)
    assert result.committed == 1
    os.close(ends)


def test_a_starting_journal_is_never_deleted_under_its_owner(directory: Path) -> None:
    """However often others look for orphans while it takes its lock and makes its files."""
    directory.mkdir()
    lookers = [start_child("tests.processes.journaling", directory, "look") for _ in range(2)]
    for looker in lookers:
        assert looker.stdout is not None
        assert looker.stdout.readline() == "ready\n"
    starters = [
        start_child("tests.processes.journaling", directory, "start", 150) for _ in range(2)
    ]
    for starter in starters:
        _, said = starter.communicate(timeout=WAIT_S)
        assert (starter.returncode, said) == (0, "")
    for looker in lookers:
        looker.kill()
        assert looker.communicate(timeout=WAIT_S) == ("", "")


def test_an_owner_file_that_was_deleted_before_it_was_locked_is_made_again(
    directory: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recoverer that comes between the two steps takes it for that of a dead owner."""
    real = fcntl.flock

    def overtaken(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        recover(directory, MemoryLedger(encoder), encoder)
        assert files(directory, OWNER_SUFFIX) == []
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", overtaken)
    journal = Journal(directory, PRODUCER, event_bytes_max=1024)
    journal.append(encoder.encode_head(Counted(who="x", number=0)))
    assert files(directory, OWNER_SUFFIX) == [f"{PRODUCER}{OWNER_SUFFIX}"]
    assert recover(directory, MemoryLedger(encoder), encoder) == []
    assert len(read_back(directory)) == 1
    journal.end(keep=False)


def test_file_numbers_never_come_twice(directory: Path) -> None:
    """Callers and the thread that takes make files at the same time."""
    directory.mkdir(exist_ok=True)
    spares = Spares(directory, PRODUCER, SEGMENT_BYTES)
    made: list[Path] = []

    def run() -> None:
        for _ in range(50):
            segment = spares._make()
            made.append(segment.path)
            segment.remove()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(made)) == 200
    assert all(len(list(group)) == 1 for _, group in itertools.groupby(sorted(made)))
