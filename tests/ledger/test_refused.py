"""Files that are no ledger, or no longer: one clear error each, and the file left as it was."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from minutebook.actors.ledger.inspection import APPLICATION_ID
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.system import AuditSystem
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import (
    LedgerCorrupt,
    LedgerError,
    LedgerInputOutput,
    LedgerPathError,
    LedgerReadOnly,
    LedgerTooNew,
    NotALedger,
)
from tests.contract.trail import WAIT_S, check_trail, entries_of, many, start_child


def text_file(path: Path) -> None:
    path.write_text("Dear diary, today nothing was audited.\n" * 100)


def short_file(path: Path) -> None:
    path.write_bytes(b"x")


def zeros(path: Path) -> None:
    path.write_bytes(bytes(8192))


def another_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE songs (title TEXT)")
        database.execute("INSERT INTO songs VALUES ('Yesterday')")
        database.commit()


def another_database_in_wal_mode(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
    another_database(path)


def marked_but_without_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute("PRAGMA user_version = 1")
        database.execute("CREATE TABLE entries (log_index INTEGER PRIMARY KEY)")


def newer_ledger(path: Path) -> None:
    full_ledger(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 1000")


def truncated_ledger(path: Path) -> None:
    full_ledger(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def ledger_cut_within_a_page(path: Path) -> None:
    full_ledger(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1000)


def overwritten_ledger(path: Path) -> None:
    full_ledger(path)
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 4096 * 4)


def ledger_with_overwritten_header(path: Path) -> None:
    full_ledger(path)
    with path.open("r+b") as file:
        file.write(b"\xa5" * 100)


def full_ledger(path: Path) -> None:
    from tests.contract.trail import new_encoder

    encoder = new_encoder()
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 300))
    ledger.close()
    path.with_name(path.name + ".lock").unlink()


REFUSED: list[tuple[Callable[[Path], None], type[LedgerError]]] = [
    (text_file, NotALedger),
    (short_file, NotALedger),
    (zeros, NotALedger),
    (another_database, NotALedger),
    (another_database_in_wal_mode, NotALedger),
    (marked_but_without_tables, LedgerCorrupt),
    (newer_ledger, LedgerTooNew),
    (truncated_ledger, LedgerCorrupt),
    (ledger_cut_within_a_page, LedgerCorrupt),
    (overwritten_ledger, LedgerCorrupt),
    (ledger_with_overwritten_header, NotALedger),
]


@pytest.mark.parametrize(("make", "kind"), REFUSED, ids=[make.__name__ for make, _ in REFUSED])
def test_what_is_no_ledger_is_refused_and_left_untouched(
    tmp_path: Path, encoder: Encoder, make: Callable[[Path], None], kind: type[LedgerError]
) -> None:
    path = tmp_path / "file"
    make(path)
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir()))

    with pytest.raises(LedgerError) as refusal:
        SqliteLedger(path, encoder)
    with pytest.raises(LedgerError) as whole:
        AuditSystem.open(path)

    assert type(refusal.value) is type(whole.value) is kind
    message = str(refusal.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir())) == before


def test_a_database_that_another_application_is_writing_is_left_untouched(
    tmp_path: Path, encoder: Encoder
) -> None:
    path = tmp_path / "file"
    another_database_in_wal_mode(path)
    other = start_child("tests.processes.transaction", path, 60)
    assert other.stdout is not None
    assert other.stdout.readline() == "begun\n"
    before = path.read_bytes()
    with pytest.raises(NotALedger):
        SqliteLedger(path, encoder)
    assert path.read_bytes() == before
    assert other.poll() is None
    other.kill()
    other.communicate(timeout=WAIT_S)


def test_a_missing_directory_is_refused_and_not_made(tmp_path: Path, encoder: Encoder) -> None:
    with pytest.raises(LedgerPathError, match="does not exist; create it"):
        SqliteLedger(tmp_path / "missing" / "audit.db", encoder)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_refused(tmp_path: Path, encoder: Encoder) -> None:
    with pytest.raises(LedgerPathError, match="is a directory"):
        SqliteLedger(tmp_path, encoder)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_file_is_refused_to_root_too(tmp_path: Path, encoder: Encoder) -> None:
    path = tmp_path / "audit.db"
    full_ledger(path)
    path.chmod(0o444)
    before = (path.read_bytes(), sorted(tmp_path.iterdir()))
    with pytest.raises(LedgerReadOnly, match="read-only; make it writable"):
        SqliteLedger(path, encoder)
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before


def test_a_lock_file_that_cannot_be_one_is_an_error_of_the_ledger(
    tmp_path: Path, encoder: Encoder
) -> None:
    (tmp_path / "audit.db.lock").mkdir()
    with pytest.raises(LedgerInputOutput, match=r"audit\.db\.lock"):
        SqliteLedger(tmp_path / "audit.db", encoder)


def test_an_empty_file_becomes_a_ledger(tmp_path: Path, encoder: Encoder) -> None:
    path = tmp_path / "audit.db"
    path.touch()
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 2))
    ledger.close()
    check_trail(entries_of(path))


def test_what_a_process_left_that_was_killed_while_making_the_ledger_is_taken(
    tmp_path: Path, encoder: Encoder
) -> None:
    path = tmp_path / "audit.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
    assert path.stat().st_size > 0
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 2))
    ledger.close()
    check_trail(entries_of(path))
