"""Ledger files in every state that a reader meets: none, damaged, read-only, being written."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from minutebook.actors.ledger.reader import PAGE_ROWS_MAX, LedgerReader
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.errors import (
    EntryNotFound,
    LedgerCorrupt,
    LedgerError,
    LedgerMissing,
    LedgerPathError,
    LedgerReadOnly,
    LedgerTooNew,
    NotALedger,
)
from minutebook.domain.event import AuditEvent
from minutebook.domain.events import ConfigChanged
from minutebook.domain.query import EntryFilter

AsOtherUser = Callable[[], AbstractContextManager[None]]
MakeLedger = Callable[[Path, list[AuditEvent]], None]

START = datetime(2026, 1, 1, tzinfo=UTC)

# A process that appends events one by one, and says the index of each once it is committed.
WRITER = """
import itertools, sys
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.events import ConfigChanged
from minutebook.domain.redaction import Redactor

path, reopen = sys.argv[1], sys.argv[2] == "reopen"
encoder = Encoder(Redactor(b"k" * 32))
ledger = SqliteLedger(path, encoder)
for number in itertools.count():
    event = ConfigChanged(key=f"n{number}", new_value="x" * 3000, scope="file")
    (receipt,) = ledger.append([with_producer(encoder.encode_head(event), "0b" * 16, number)])
    print(receipt.log_index, flush=True)
    if reopen:
        ledger.close()
        ledger = SqliteLedger(path, encoder)
"""


def some_events(count: int) -> list[AuditEvent]:
    return [ConfigChanged(key=f"k{number}", scope="file") for number in range(count)]


def body(encoder: Encoder, number: int) -> bytes:
    event = ConfigChanged(key=f"k{number}", scope="file")
    return with_producer(encoder.encode_head(event), "0c" * 16, number)


# -- what is refused ------------------------------------------------------------


def test_a_missing_file_is_said_to_be_missing_and_not_made(tmp_path: Path) -> None:
    """Nor is its directory."""
    for path in (tmp_path / "no.db", tmp_path / "no" / "no.db"):
        with pytest.raises(LedgerMissing, match=r"there is no ledger at .*no\.db; check the path"):
            LedgerReader(path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A directory, a pipe (which an open would wait on), and a path that cannot be."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("text")
    (tmp_path / "loop").symlink_to("loop")
    for path in (
        tmp_path,
        tmp_path / "pipe",
        tmp_path / "file" / "l.db",
        tmp_path / "loop",
        tmp_path / ("x" * 300),
        "nul\0byte",
    ):
        with pytest.raises(LedgerPathError):
            LedgerReader(path)


@pytest.mark.parametrize("content", [b"", b"some text\n", b"SQLite format 3\0", b"\0" * 9000])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    """Nor are files made beside it."""
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(NotALedger):
        LedgerReader(path)

    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_database_of_another_application_is_refused(tmp_path: Path) -> None:
    """Even with a table of the name."""
    connection = apsw.Connection(str(tmp_path / "other.db"))
    connection.execute("CREATE TABLE entries (log_index INTEGER PRIMARY KEY)")
    connection.close()

    with pytest.raises(NotALedger, match="a database of another application"):
        LedgerReader(tmp_path / "other.db")


def test_a_database_without_anything_is_no_ledger_yet(tmp_path: Path) -> None:
    """It may become one; a reader does not wait for that."""
    connection = apsw.Connection(str(tmp_path / "blank.db"))
    connection.pragma("journal_mode", "wal")
    connection.close()

    with pytest.raises(NotALedger, match="an empty SQLite database"):
        LedgerReader(tmp_path / "blank.db")


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path, make_ledger: MakeLedger) -> None:
    """It may mean its columns differently."""
    make_ledger(tmp_path / "l.db", some_events(1))
    connection = apsw.Connection(str(tmp_path / "l.db"))
    connection.pragma("user_version", 1000)
    connection.close()

    with pytest.raises(LedgerTooNew, match="upgrade Minutebook"):
        LedgerReader(tmp_path / "l.db")


def test_a_damaged_ledger_is_refused(tmp_path: Path, make_ledger: MakeLedger) -> None:
    """Cut off, or with a page overwritten: never an answer with something missing."""
    make_ledger(tmp_path / "l.db", some_events(300))
    whole = (tmp_path / "l.db").read_bytes()
    (tmp_path / "cut.db").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "holed.db").write_bytes(whole[:8192] + b"\x55" * 8192 + whole[16384:])

    for name in ("cut.db", "holed.db"):
        with pytest.raises(LedgerCorrupt):
            LedgerReader(tmp_path / name)


# -- states of the file ---------------------------------------------------------


def test_reading_leaves_nothing_behind(tmp_path: Path, make_ledger: MakeLedger) -> None:
    """No side files, and the file as it was, to the byte and the time."""
    path = tmp_path / "l.db"
    make_ledger(path, some_events(5))
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir()))

    with LedgerReader(path) as reader:
        assert len(list(reader.entries())) == 5

    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir())) == before


def test_an_empty_ledger_has_no_entries(tmp_path: Path, make_ledger: MakeLedger) -> None:
    """It is a ledger all the same."""
    make_ledger(tmp_path / "l.db", [])

    with LedgerReader(tmp_path / "l.db") as reader:
        assert list(reader.entries(limit=3)) == []
        assert list(reader.entries(EntryFilter(since=START, types=("a*",)))) == []
        assert reader.count() == 0
        assert reader.last_index() is None
        with pytest.raises(EntryNotFound):
            reader.get("0")


def test_a_link_is_followed_to_the_log_beside_the_ledger_itself(
    tmp_path: Path, encoder: Encoder
) -> None:
    """The write-ahead log lies beside the file, not beside the link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "l.db")
    ledger = SqliteLedger(tmp_path / "real" / "l.db", encoder)
    ledger.append([body(encoder, 0)])

    with LedgerReader(tmp_path / "link.db") as reader:
        assert reader.count() == 1
    ledger.close()


def test_any_path_that_a_file_can_have_is_read(tmp_path: Path, make_ledger: MakeLedger) -> None:
    """What means something in a URI, and bytes that are not UTF-8."""
    make_ledger(tmp_path / "l.db", some_events(1))
    for name in ("a b?mode=rw#x%20.db", "日本語.db", os.fsdecode(b"\xff.db")):
        try:
            (tmp_path / name).write_bytes((tmp_path / "l.db").read_bytes())
        except OSError:
            continue  # macOS takes only UTF-8

        with LedgerReader(tmp_path / name) as reader:
            assert reader.count() == 1


def test_an_open_reader_sees_what_is_committed_later(tmp_path: Path, encoder: Encoder) -> None:
    """Also when nobody had the ledger open at first, and when it is closed again."""
    path = tmp_path / "l.db"
    SqliteLedger(path, encoder).close()
    with LedgerReader(path) as reader:
        assert reader.count() == 0
        numbers = itertools.count()
        for _ in range(3):
            ledger = SqliteLedger(path, encoder)
            for _ in range(3):
                number = next(numbers)
                ledger.append([body(encoder, number)])
                assert reader.get(str(number)).payload["key"] == f"k{number}"
            ledger.close()
            assert [entry.payload["key"] for entry in reader.entries(limit=1)] == [f"k{number}"]


@pytest.mark.parametrize("limit", [None, 2 * PAGE_ROWS_MAX - 1])
def test_what_is_committed_while_reading_is_left_out(
    tmp_path: Path, encoder: Encoder, limit: int | None
) -> None:
    """A long listing is of one moment, that of its first entry."""
    path = tmp_path / "l.db"
    count = 2 * PAGE_ROWS_MAX
    ledger = SqliteLedger(path, encoder)
    ledger.append([body(encoder, number) for number in range(count)])
    with LedgerReader(path) as reader:
        entries = reader.entries(EntryFilter(types=("config.*",)), limit)
        indexes = [next(entries).log_index]
        ledger.append([body(encoder, count)])
        indexes += [entry.log_index for entry in entries]
    ledger.close()

    assert indexes == list(range(0 if limit is None else count - limit, count))


def test_a_reader_that_pauses_does_not_hold_up_the_writers_log(
    tmp_path: Path, encoder: Encoder
) -> None:
    """`minutebook log | less` may stay open for days: the log can still be emptied."""
    path = tmp_path / "l.db"
    ledger = SqliteLedger(path, encoder)
    ledger.append([body(encoder, number) for number in range(2 * PAGE_ROWS_MAX)])
    with LedgerReader(path) as reader:
        entries = reader.entries()
        next(entries)
        other = apsw.Connection(str(path))
        busy, _, _ = next(other.execute("PRAGMA wal_checkpoint(TRUNCATE)"))
        other.close()

        assert busy == 0
        assert len(list(entries)) == 2 * PAGE_ROWS_MAX - 1
    ledger.close()


@pytest.fixture
def start_writer(tmp_path: Path) -> Iterator[Callable[[Path, str], subprocess.Popen[str]]]:
    """Starts a process that writes on and on; killed at the end."""
    writers: list[subprocess.Popen[str]] = []

    def start(path: Path, how: str) -> subprocess.Popen[str]:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), how], stdout=subprocess.PIPE, text=True
        )
        writers.append(writer)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        return writer

    yield start
    for writer in writers:
        with writer:
            writer.kill()


StartWriter = Callable[[Path, str], "subprocess.Popen[str]"]


@pytest.mark.parametrize("how", ["keep open", "reopen"])
def test_a_ledger_is_read_while_another_process_writes_it(
    tmp_path: Path, start_writer: StartWriter, how: str
) -> None:
    """Every listing is whole and reaches at least what was said to be committed before.

    Reopening, the writer empties and removes its log after each event: the file changes
    under a reader that had opened it without locks.
    """
    path = tmp_path / "l.db"
    writer = start_writer(path, how)
    assert writer.stdout is not None
    committed = 0
    for _ in range(60):
        with LedgerReader(path) as reader:
            for _ in range(3):
                indexes = [entry.log_index for entry in reader.entries()]
                assert indexes == list(range(len(indexes)))
                assert len(indexes) > committed
                committed = int(writer.stdout.readline())


def test_what_a_killed_process_committed_is_read(tmp_path: Path, start_writer: StartWriter) -> None:
    """From the write-ahead log that it left, which stays for the next writer."""
    path = tmp_path / "l.db"
    writer = start_writer(path, "keep open")
    assert writer.stdout is not None
    committed = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    committed += map(int, writer.communicate()[0].split())

    assert path.with_name("l.db-wal").stat().st_size > 0
    with LedgerReader(path) as reader:
        indexes = [entry.log_index for entry in reader.entries()]
    assert indexes[: committed[-1] + 1] == list(range(committed[-1] + 1))


def leave_a_log(path: Path, encoder: Encoder) -> None:
    """Make a ledger as a killed process leaves it: one entry, still in its log."""
    pid = os.fork()
    if pid == 0:
        ledger = SqliteLedger(path, encoder)
        ledger.append([body(encoder, 0)])
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_read_only_file_is_read(
    open_dir: Path, make_ledger: MakeLedger, as_other_user: AsOtherUser
) -> None:
    """Mode 0444, in a directory that may or may not be written."""
    path = open_dir / "l.db"
    make_ledger(path, some_events(3))
    path.chmod(0o444)
    for mode in (0o777, 0o555):
        open_dir.chmod(mode)
        before = sorted(open_dir.iterdir())
        with as_other_user(), LedgerReader(path) as reader:
            assert reader.count() == 3
        assert sorted(open_dir.iterdir()) == before


def test_a_killed_processes_log_is_read_in_a_read_only_directory(
    open_dir: Path, encoder: Encoder, as_other_user: AsOtherUser
) -> None:
    """With the shared memory file that it left beside it, SQLite needs to make none."""
    path = open_dir / "l.db"
    leave_a_log(path, encoder)
    for file in open_dir.iterdir():
        file.chmod(0o444)
    open_dir.chmod(0o555)

    with as_other_user(), LedgerReader(path) as reader:
        assert reader.count() == 1


@pytest.mark.parametrize("trouble", ["no shared memory", "log not readable"])
def test_a_log_that_cannot_be_read_is_never_passed_over(
    open_dir: Path, encoder: Encoder, as_other_user: AsOtherUser, trouble: str
) -> None:
    """The file alone would be an older state: the error says how to get at the newest."""
    path = open_dir / "l.db"
    leave_a_log(path, encoder)
    if trouble == "no shared memory":
        path.with_name("l.db-shm").unlink()
    else:
        path.with_name("l.db-wal").chmod(0)
    open_dir.chmod(0o555)

    with as_other_user(), pytest.raises(LedgerReadOnly, match=r"l\.db-wal .* copy both files"):
        LedgerReader(path)


def test_an_empty_log_in_a_read_only_directory_is_no_trouble(
    open_dir: Path, make_ledger: MakeLedger, as_other_user: AsOtherUser
) -> None:
    """All is in the file."""
    path = open_dir / "l.db"
    make_ledger(path, some_events(3))
    path.with_name("l.db-wal").touch()
    open_dir.chmod(0o555)

    with as_other_user(), LedgerReader(path) as reader:
        assert reader.count() == 3


def test_a_file_that_may_not_be_read_is_refused(
    open_dir: Path, make_ledger: MakeLedger, as_other_user: AsOtherUser
) -> None:
    """As is one in a directory that may not be entered."""
    path = open_dir / "l.db"
    make_ledger(path, some_events(1))
    path.chmod(0)
    with as_other_user(), pytest.raises(LedgerError, match="permissions"):
        LedgerReader(path)
    open_dir.chmod(0)
    with as_other_user(), pytest.raises(LedgerError, match="permissions"):
        LedgerReader(path)
