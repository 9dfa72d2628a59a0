"""Files that are removed or replaced underneath: said, mended where possible, none begun anew."""

import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import LedgerAstray, LedgerInputOutput
from tests.contract.trail import check_trail, counted, entries_of, many, start_child


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def numbers(path: Path) -> list[int]:
    entries = entries_of(path)
    check_trail(entries)
    return [number for _, number in counted(entries)]


@pytest.mark.parametrize("left", [None, b""], ids=["missing", "empty"])
def test_no_new_ledger_is_begun_where_one_is_gone(
    path: Path, encoder: Encoder, left: bytes | None
) -> None:
    """The lock file knows that there was one; only without it a new one is made."""
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 3))
    ledger.close()
    path.rename(beside(path, ".away"))
    if left is not None:
        path.write_bytes(left)
    with pytest.raises(LedgerAstray, match=r"there was one.*put it back.*\.lock"):
        SqliteLedger(path, encoder)
    assert not path.exists() or path.read_bytes() == left
    beside(path, ".away").rename(path)
    SqliteLedger(path, encoder).close()
    assert numbers(path) == [0, 1, 2]
    path.unlink()
    beside(path, ".lock").unlink()
    SqliteLedger(path, encoder).close()
    assert numbers(path) == []


def test_another_ledger_does_not_take_over_the_side_files(
    path: Path, tmp_path: Path, encoder: Encoder
) -> None:
    SqliteLedger(path, encoder).close()
    SqliteLedger(tmp_path / "other.db", encoder).close()
    (tmp_path / "other.db").replace(path)
    with pytest.raises(LedgerAstray, match="side files belong to another one"):
        SqliteLedger(path, encoder)


def test_a_copy_without_side_files_and_a_backup_of_the_same_ledger_open(
    path: Path, tmp_path: Path, encoder: Encoder
) -> None:
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 3))
    ledger.close()
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copy(path, tmp_path / "elsewhere" / "copy.db")
    SqliteLedger(copy, encoder).close()
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 3, first=3))
    ledger.close()
    shutil.copy(copy, path)
    SqliteLedger(path, encoder).close()
    assert numbers(path) == [0, 1, 2]


@pytest.mark.parametrize("note", [b"0123", bytes(32), b"\xff" * 32])
def test_a_note_that_was_not_written_whole_is_none(
    path: Path, encoder: Encoder, note: bytes
) -> None:
    """A power failure may leave anything: it must not keep out the ledger that is there."""
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 1))
    ledger.close()
    beside(path, ".lock").write_bytes(note)
    SqliteLedger(path, encoder).close()
    path.unlink()
    with pytest.raises(LedgerAstray):
        SqliteLedger(path, encoder)


def wal(path: Path) -> None:
    beside(path, "-wal").unlink()


def shm(path: Path) -> None:
    beside(path, "-shm").unlink()


def both(path: Path) -> None:
    wal(path)
    shm(path)


REMOVALS = pytest.mark.parametrize("remove", [wal, shm, both])


@REMOVALS
@pytest.mark.parametrize("how", ["append", "look"])
def test_what_was_committed_survives_the_removal_of_sqlites_files(
    path: Path, encoder: Encoder, remove: Callable[[Path], None], how: str
) -> None:
    """Another process sees all of it at once, and the writer goes on."""
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 50))
    remove(path)
    if how == "append":
        ledger.append(many(encoder, 5, first=50))
    else:
        assert ledger.look() is None
    # As a kill would leave it: a copy of what is at the path, read by nobody who knows more.
    copy = path.with_name("copy.db")
    for suffix in ("", "-wal"):
        if beside(path, suffix).exists():
            shutil.copy(beside(path, suffix), beside(copy, suffix))
    expected = list(range(55 if how == "append" else 50))
    assert numbers(copy) == expected
    ledger.append(many(encoder, 5, first=len(expected)))
    ledger.close()
    assert numbers(path) == list(range(len(expected) + 5))
    database = apsw.Connection(str(path))
    assert database.pragma("integrity_check") == "ok"
    database.close()


@REMOVALS
def test_two_processes_go_on_after_the_removal_of_sqlites_files(
    path: Path, encoder: Encoder, remove: Callable[[Path], None]
) -> None:
    """Who comes second must not move its old log over what the first one wrote since."""
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 50))
    other = start_child("tests.processes.appending", path)
    assert other.stdin is not None
    assert other.stdout is not None

    def append_there() -> None:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "appended\n", other.communicate()

    append_there()
    remove(path)
    ledger.append(many(encoder, 50, first=50))
    append_there()
    ledger.append(many(encoder, 50, first=100))
    append_there()
    ledger.close()
    assert other.communicate() == ("", "")
    entries = entries_of(path)
    check_trail(entries)
    assert [number for who, number in counted(entries) if who == "x"] == list(range(150))
    assert [number for who, number in counted(entries) if who == "other"] == [0, 1, 2]
    database = apsw.Connection(str(path))
    assert database.pragma("integrity_check") == "ok"
    database.close()


def test_files_that_this_process_cannot_let_go_of_are_said(path: Path, encoder: Encoder) -> None:
    """SQLite shares -shm within a process: it stays the removed one until all have closed."""
    ledger, other = SqliteLedger(path, encoder), SqliteLedger(path, encoder)
    ledger.append(many(encoder, 3))
    other.next_index()
    shm(path)
    with pytest.raises(LedgerInputOutput, match="restart"):
        ledger.append(many(encoder, 1, first=3))
    assert "restart" in (ledger.look() or "restart")
    other.close()
    ledger.append(many(encoder, 1, first=3))
    ledger.close()
    assert numbers(path) == [0, 1, 2, 3]


def test_entries_that_are_gone_are_said_and_nothing_is_put_in_their_place(
    path: Path, encoder: Encoder
) -> None:
    """Somebody began a new log before we noticed that ours was removed."""
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 50))
    ledger.shorten_log()
    ledger.append(many(encoder, 5, first=50))
    both(path)
    other = start_child("tests.processes.appending", path)
    assert other.communicate("\n") == ("appended\n", "")
    with pytest.raises(LedgerAstray, match="had entry 54, and has only 51"):
        ledger.append(many(encoder, 1, first=55))
    ledger.close()


def test_a_look_says_what_is_wrong_and_waits_for_nobody(path: Path, encoder: Encoder) -> None:
    ledger = SqliteLedger(path, encoder)
    assert ledger.look() is None
    path.rename(beside(path, ".away"))
    assert "moved or deleted" in (ledger.look() or "")
    beside(path, ".away").rename(path)
    assert ledger.look() is None
    ledger.close()
    assert ledger.look() is None
