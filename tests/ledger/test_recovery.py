"""What becomes of the journals of the dead: killed at any moment, recovered in any state."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from minutebook.actors.ledger.journal import SEGMENT_BYTES, Journal
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.owner import OWNER_SUFFIX
from minutebook.actors.ledger.recovery import DAMAGED_SUFFIX, LOCK_NAME, has_orphans, recover
from minutebook.actors.ledger.segments import RECORDS_FROM, SEGMENT_SUFFIX
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.steps import GiveWay
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Entry, Receipt
from minutebook.domain.errors import DuplicateEvent, JournalError, LedgerUnavailable
from tests.contract.trail import (
    PRODUCER,
    WAIT_S,
    Counted,
    check_trail,
    counted,
    entries_of,
    start_child,
    wait_until,
)


class Unlucky:
    """A ledger, of whose appends all after the first few fail."""

    def __init__(self, ledger: MemoryLedger, good: int, error: BaseException, after: bool) -> None:
        self._ledger = ledger
        self._good = good
        self._error = error
        self._after = after

    def append(
        self, bodies: Sequence[bytes], give_way: GiveWay | None = None
    ) -> list[Receipt | DuplicateEvent]:
        if self._good > 0:
            self._good -= 1
            return self._ledger.append(bodies, give_way)
        if self._after:
            self._ledger.append(bodies, give_way)
        raise self._error

    def next_index(self) -> int:
        return self._ledger.next_index()

    def checkpoint(self) -> None:
        self._ledger.checkpoint()

    def close(self) -> None:
        self._ledger.close()

    def leave(self) -> None:
        self._ledger.leave()

    def renew(self) -> None:
        self._ledger.renew()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "audit.db.journal.d"


def left_behind(
    directory: Path, encoder: Encoder, count: int, *, producer: str = PRODUCER, note: str = ""
) -> list[bytes]:
    """A journal whose owner is gone, and the bodies in it."""
    journal = Journal(directory, producer, event_bytes_max=4096, backlog_max=10**6)
    for number in range(count):
        journal.append(encoder.encode_head(Counted(who=producer[:2], number=number, note=note)))
    bodies: list[bytes] = []
    while journal.untaken:
        bodies += journal.take(count)[0]
    journal.end(keep=True)
    return bodies


def left_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {LOCK_NAME}


def segments_in(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{SEGMENT_SUFFIX}"))


def test_nothing_to_recover_is_nothing_done(directory: Path, encoder: Encoder) -> None:
    """No directory, an empty one, or an owner that had told nothing."""
    ledger = MemoryLedger(encoder)
    assert recover(directory, ledger, encoder) == []
    assert not has_orphans(directory)
    assert not directory.exists()
    left_behind(directory, encoder, 0)
    (directory / f"{'0b' * 16}{OWNER_SUFFIX}").touch()
    assert has_orphans(directory)
    assert recover(directory, ledger, encoder) == []
    assert not has_orphans(directory)
    assert (left_in(directory), ledger.entries) == (set(), [])


def test_all_journals_are_committed_and_deleted(directory: Path, encoder: Encoder) -> None:
    """Each producer's events in order, over several segments and batches."""
    told = [
        left_behind(directory, encoder, count, producer=producer, note="n" * 3600)
        for count, producer in [(3000, "0a" * 16), (1, "0b" * 16), (700, "0c" * 16)]
    ]
    assert len(segments_in(directory)) > 4
    ledger = MemoryLedger(encoder)
    results = recover(directory, ledger, encoder)
    assert [entry.body for entry in ledger.entries] == [body for bodies in told for body in bodies]
    assert [(r.found, r.committed, r.damage, r.kept) for r in results] == [
        (count, count, [], []) for count in (3000, 1, 700)
    ]
    assert left_in(directory) == set()
    ledger.verify()


@pytest.mark.parametrize("after", [False, True], ids=["not persisted", "persisted"])
@pytest.mark.parametrize("good", range(5))
def test_one_that_is_cut_off_is_done_again(
    directory: Path, encoder: Encoder, good: int, after: bool
) -> None:
    """After each step, whether the failed batch is in the ledger or not."""
    told = left_behind(directory, encoder, 2100, note="n" * 900)
    ledger = MemoryLedger(encoder)
    error = LedgerUnavailable("busy; try again.")
    before = left_in(directory)
    with pytest.raises(LedgerUnavailable):
        recover(directory, Unlucky(ledger, good, error, after), encoder)
    assert left_in(directory) == before
    assert has_orphans(directory)
    already = len(ledger.entries)
    (result,) = recover(directory, ledger, encoder)
    assert [entry.body for entry in ledger.entries] == told
    assert (result.found, result.committed) == (2100, 2100 - already)
    assert left_in(directory) == set()


@pytest.mark.parametrize("already", [0, 1, 511, 512, 513, 1200])
def test_what_is_in_the_ledger_already_is_recognised(
    directory: Path, encoder: Encoder, already: int
) -> None:
    """The owner may have died between its commit and the release."""
    told = left_behind(directory, encoder, 1200)
    ledger = MemoryLedger(encoder)
    ledger.append(told[:already])
    (result,) = recover(directory, ledger, encoder)
    assert [entry.body for entry in ledger.entries] == told
    assert (result.found, result.committed) == (1200, 1200 - already)


def test_an_event_that_cannot_be_stored_holds_up_no_other(
    directory: Path, encoder: Encoder
) -> None:
    """An audit.gap takes its place, as in normal work."""
    told = left_behind(directory, encoder, 20)

    class Picky(MemoryLedger):
        def append(
            self, bodies: Sequence[bytes], give_way: GiveWay | None = None
        ) -> list[Receipt | DuplicateEvent]:
            if told[7] in bodies:
                raise ValueError("not this one")
            return super().append(bodies, give_way)

    ledger = Picky(encoder)
    (result,) = recover(directory, ledger, encoder)
    assert (result.found, result.committed) == (20, 20)
    assert [entry.producer_seq for entry in ledger.entries] == list(range(20))
    gap = ledger.entries[7]
    assert (gap.type, gap.payload["cause"]) == ("audit.gap", "unstorable")
    assert "ValueError: not this one" in gap.payload["detail"]
    assert left_in(directory) == set()


def test_one_journal_that_cannot_be_read_holds_up_no_other(
    directory: Path, encoder: Encoder
) -> None:
    """It stays and is reported; those that come after it are committed."""
    left_behind(directory, encoder, 3, producer="0a" * 16)
    told = left_behind(directory, encoder, 3, producer="0b" * 16)
    broken = directory / f"{'0a' * 16}-{3:016d}{SEGMENT_SUFFIX}"
    broken.mkdir()
    ledger = MemoryLedger(encoder)
    with pytest.raises(JournalError, match="make it readable, or move it away"):
        recover(directory, ledger, encoder)
    assert [entry.body for entry in ledger.entries[3:]] == told
    assert has_orphans(directory)
    broken.rmdir()
    recover(directory, ledger, encoder)
    assert len(ledger.entries) == 6
    assert left_in(directory) == set()


def test_files_of_others_are_left_alone(directory: Path, encoder: Encoder) -> None:
    """What is not named like a journal is none."""
    left_behind(directory, encoder, 3)
    for name in ["notes.txt", f"x{OWNER_SUFFIX}", f"[a-z]*{OWNER_SUFFIX}", f"{PRODUCER}x"]:
        (directory / name).touch()
    (directory / f"{PRODUCER}-abc{SEGMENT_SUFFIX}").touch()
    recover(directory, MemoryLedger(encoder), encoder)
    assert left_in(directory) == {
        "notes.txt",
        f"x{OWNER_SUFFIX}",
        f"[a-z]*{OWNER_SUFFIX}",
        f"{PRODUCER}x",
    }


# -- damage -------------------------------------------------------------------


def gaps_of(entries: list[Entry]) -> list[tuple[int, int, int]]:
    return [
        (entry.producer_seq, entry.payload["count"], entry.payload["last_seq"])
        for entry in entries
        if entry.type == "audit.gap" and entry.payload["cause"] == "unreadable"
    ]


@pytest.mark.parametrize("damage", ["middle", "last record", "tail", "header", "all", "empty"])
def test_a_damaged_segment_leaves_no_unexplained_hole(
    directory: Path, encoder: Encoder, damage: str
) -> None:
    """Where the next segment goes on says how many are missing, even at the damaged one's end."""
    told = left_behind(directory, encoder, 3000, note="n" * 3600)
    first, second, *_ = segments_in(directory)
    data = bytearray(first.read_bytes())
    border = int(second.stem.rpartition("-")[2])
    match damage:
        case "middle":
            data[300_000:301_000] = bytes(1000)
        case "last record":
            at = data.rindex(told[border - 1].partition(b',"producer":"')[0])
            data[at - 16 : at] = bytes(16)
        case "tail":
            data[500_000:] = bytes(len(data) - 500_000)
        case "header":
            data[:RECORDS_FROM] = os.urandom(RECORDS_FROM)
        case "all":
            data[:] = os.urandom(len(data))
        case "empty":
            data.clear()
    stamp = first.stat()
    first.write_bytes(data)
    os.utime(first, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    ledger = MemoryLedger(encoder)
    (result,) = recover(directory, ledger, encoder)
    seqs = [entry.producer_seq for entry in ledger.entries if entry.type == Counted.type]
    missing = sorted(set(range(3000)) - set(seqs))
    expected = [(missing[0], len(missing), missing[-1])] if missing else []
    assert gaps_of(ledger.entries) == expected
    assert (len(missing) > 0) is (damage != "header")
    if damage in ("middle", "last record"):
        assert len(missing) in (1, 2, 3)
    assert [entry.producer_seq for entry in ledger.entries] == sorted([*seqs, *missing[:1]])
    assert sum(one.lost for one in result.damage) == len(missing)
    assert result.found == result.committed - len(expected) == len(seqs)
    assert result.kept == [first.name + DAMAGED_SUFFIX]
    assert left_in(directory) == set(result.kept)
    assert (directory / result.kept[0]).read_bytes() == data
    assert recover(directory, ledger, encoder) == []


def test_a_recovery_of_a_damaged_journal_that_is_cut_off_makes_one_gap(
    directory: Path, encoder: Encoder
) -> None:
    """The gap is made of nothing that changes, so it is recognised the second time."""
    left_behind(directory, encoder, 3000, note="n" * 3600)
    first = segments_in(directory)[0]
    with first.open("r+b") as file:
        file.seek(100_000)
        file.write(bytes(1000))
    ledger = MemoryLedger(encoder)
    for good in range(4):
        error = LedgerUnavailable("busy; try again.")
        with pytest.raises(LedgerUnavailable):
            recover(directory, Unlucky(ledger, good, error, True), encoder)
    recover(directory, ledger, encoder)
    assert len(gaps_of(ledger.entries)) == 1
    assert len({entry.producer_seq for entry in ledger.entries}) == len(ledger.entries)


# -- killed -------------------------------------------------------------------


def start_teller(
    directory: Path, threads: int, how: str = "only"
) -> tuple[subprocess.Popen[str], str]:
    child = start_child("tests.processes.journaling", directory, "tell", threads, how)
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


def kill_after(child: subprocess.Popen[str], lines: int, delay_s: float) -> list[tuple[str, int]]:
    """Let it say so many, then kill it; what it said, which is what had returned."""
    assert child.stdout is not None
    assert child.stderr is not None
    with child:
        said = [child.stdout.readline() for _ in range(lines)]
        time.sleep(delay_s)
        child.kill()
        # Not communicate(), which forgets what readline() has read ahead.
        complete = "".join(said) + child.stdout.read()
        assert child.stderr.read() == ""
    # The last line may have been cut off with its process.
    pairs = [line.split() for line in complete[: complete.rfind("\n") + 1].splitlines()]
    return [(who, int(number)) for who, number in pairs]


def check_recovered(entries: Sequence[Entry], returned: list[tuple[str, int]]) -> None:
    told = counted(entries)
    assert len(told) == len(set(told))
    assert set(returned) <= set(told)
    for teller in {who for who, _ in told}:
        numbers = [number for who, number in told if who == teller]
        assert numbers == list(range(len(numbers)))
        # No more than the one whose append had not returned, or was not reported any more.
        assert len(numbers) - sum(who == teller for who, _ in returned) <= 1


@pytest.mark.parametrize("written", [17, 100, -1])
def test_a_record_that_its_owner_died_in_is_cut_and_reported(
    directory: Path, encoder: Encoder, written: int
) -> None:
    """Its tell had not returned: nothing is missing, and no file is kept aside."""
    told = left_behind(directory, encoder, 3)
    (path,) = segments_in(directory)
    data = path.read_bytes()
    last = data.rindex(told[2].partition(b',"producer":"')[0]) - 16
    end = len(data.rstrip(b"\0"))
    torn = data[: last + written if written > 0 else end - 1]
    path.write_bytes(torn.ljust(len(data), b"\0"))
    ledger = MemoryLedger(encoder)
    (result,) = recover(directory, ledger, encoder)
    assert (result.found, result.torn, result.damage, result.kept) == (2, True, [], [])
    assert [entry.body for entry in ledger.entries] == told[:2]
    assert left_in(directory) == set()


@pytest.mark.parametrize("threads", [1, 8])
def test_what_had_returned_survives_the_kill(
    directory: Path, encoder: Encoder, threads: int
) -> None:
    """Exactly once and in order, at whatever moment the process dies."""
    chance = random.Random(threads)
    for _ in range(8):
        child, producer = start_teller(directory, threads)
        returned = kill_after(child, chance.randrange(2500), chance.random() / 50)
        ledger = MemoryLedger(encoder)
        results = recover(directory, ledger, encoder)
        if returned:
            assert [result.producer for result in results] == [producer]
            assert not results[0].damage
        check_recovered(ledger.entries, returned)
        seqs = [entry.producer_seq for entry in ledger.entries]
        assert seqs == list(range(len(seqs)))
        assert left_in(directory) == set()


@pytest.mark.parametrize("threads", [1, 4])
def test_what_was_being_committed_is_not_doubled(
    directory: Path, encoder: Encoder, threads: int
) -> None:
    """The process dies while its own thread takes, commits and releases."""
    chance = random.Random(threads)
    path = directory.with_name("audit.db")
    returned_by: dict[str, list[tuple[str, int]]] = {}
    for _ in range(5):
        child, producer = start_teller(directory, threads, "taking")
        returned_by[producer] = kill_after(child, 10 + chance.randrange(4000), chance.random() / 50)
        ledger = SqliteLedger(path, encoder)
        recover(directory, ledger, encoder)
        ledger.close()
        assert left_in(directory) == set()
    entries = entries_of(path)
    check_trail(entries)
    for producer, returned in returned_by.items():
        check_recovered([entry for entry in entries if entry.producer == producer], returned)


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def start_recoverer(directory: Path, path: Path) -> subprocess.Popen[str]:
    child = start_child("tests.processes.journaling", directory, "recover", path)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def test_two_recoverers_at_once_commit_each_event_once(directory: Path, encoder: Encoder) -> None:
    """And who comes second has waited until all of it is committed."""
    path = directory.with_name("audit.db")
    told = []
    for number in range(6):
        producer = f"{number:032x}"
        told += left_behind(directory, encoder, 2000, producer=producer, note="n" * 300)
    children = [start_recoverer(directory, path) for _ in range(3)]
    for child in children:
        go(child)
    committed = []
    for child in children:
        assert child.stdout is not None
        committed.append(int(child.stdout.readline()))
        # Whoever returns first: nothing is left to do by then.
        assert left_in(directory) == set()
        assert len(entries_of(path)) == len(told)
    for child in children:
        assert child.communicate(timeout=WAIT_S) == ("", "")
    assert sorted(committed) == [0, 0, len(told)]
    entries = entries_of(path)
    check_trail(entries)
    assert sorted(entry.body for entry in entries) == sorted(told)


def test_a_recoverer_that_is_killed_is_followed_by_another(
    directory: Path, encoder: Encoder
) -> None:
    """At random moments, until one gets through; nothing is lost or doubled."""
    chance = random.Random(3)
    path = directory.with_name("audit.db")
    told = []
    for number in range(4):
        told += left_behind(directory, encoder, 4000, producer=f"{number:032x}", note="n" * 500)
    killed = 0
    while left_in(directory):
        child = start_recoverer(directory, path)
        go(child)
        time.sleep(0.005 + chance.random() / 10)
        if killed < 12:
            child.kill()
            killed += 1
        child.communicate(timeout=WAIT_S)
        assert child.returncode in (0, -signal.SIGKILL)
    entries = entries_of(path)
    check_trail(entries)
    assert [entry.body for entry in entries] == told


def test_a_journal_that_is_alive_goes_on_beside_a_recovery(
    directory: Path, encoder: Encoder
) -> None:
    """Only the dead one's is adopted, again and again, while another process tells."""
    child, alive = start_teller(directory, 2)
    ledger = MemoryLedger(encoder)
    for number in range(1, 10):
        left_behind(directory, encoder, 50, producer=f"{number:032x}")
        (result,) = recover(directory, ledger, encoder)
        assert result.producer == f"{number:032x}"
    returned = kill_after(child, 500, 0)
    assert has_orphans(directory)
    before = len(ledger.entries)
    (result,) = recover(directory, ledger, encoder)
    assert result.producer == alive
    check_recovered(ledger.entries[before:], returned)


def test_a_child_that_is_forked_during_a_recovery_does_not_hold_it_on(
    directory: Path, encoder: Encoder
) -> None:
    """It lives on, and others recover all the same, without waiting for it."""
    left_behind(directory, encoder, 3)
    waits, ends = os.pipe()
    children: list[int] = []

    class Forking(MemoryLedger):
        def append(
            self, bodies: Sequence[bytes], give_way: GiveWay | None = None
        ) -> list[Receipt | DuplicateEvent]:
            child = os.fork()
            if child == 0:
                os.close(ends)
                os.read(waits, 1)
                os._exit(0)
            children.append(child)
            raise LedgerUnavailable("busy; try again.")

    with pytest.raises(LedgerUnavailable):
        recover(directory, Forking(encoder), encoder)
    # The child lets go as the first thing it does, but no sooner than it runs.
    wait_until(lambda: has_orphans(directory))
    (result,) = recover(directory, MemoryLedger(encoder), encoder)
    assert result.committed == 3
    os.close(ends)
    os.close(waits)
    assert os.waitpid(children[0], 0)[1] == 0


def test_a_killed_owner_leaves_only_what_is_not_committed(
    directory: Path, encoder: Encoder
) -> None:
    """Segments that are ready for use again are not read: all in them is committed."""
    pid = os.fork()
    if pid == 0:
        journal = Journal(directory, PRODUCER, event_bytes_max=1024, backlog_max=10**6)
        for number in range(5000):
            journal.append(encoder.encode_head(Counted(who="x", number=number, note="n" * 3600)))
            if number == 4500:
                while journal.untaken:
                    journal.take(4501)
                journal.release()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    ledger = MemoryLedger(encoder)
    (result,) = recover(directory, ledger, encoder)
    numbers = [number for _, number in counted(ledger.entries)]
    assert numbers == list(range(numbers[0], 5000))
    assert 4501 - SEGMENT_BYTES // 3600 <= numbers[0] <= 4501
    assert not result.damage
