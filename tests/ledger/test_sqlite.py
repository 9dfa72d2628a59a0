"""The ledger file: its columns, its settings, and that it can only grow."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from minutebook.actors.ledger import sqlite
from minutebook.actors.ledger.inspection import APPLICATION_ID, SCHEMA_VERSION
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import COLUMNS, Receipt, Record
from minutebook.domain.errors import LedgerInputOutput
from tests.contract.trail import Counted, check_trail, entries_of, many, stored

PUBLIC_COLUMNS = (
    "log_index",
    "id",
    "type",
    "schema_version",
    "source",
    "occurred_at",
    "recorded_at",
    "user_identity",
    "on_behalf_of",
    "session_id",
    "correlation_id",
    "causation_id",
    "traceparent",
    "plan_id",
    "project_names",
    "outcome",
    "outcome_reason",
    "severity",
    "producer",
    "producer_seq",
    "hash_version",
    "leaf_hash",
    "body",
)


def connection_of(ledger: SqliteLedger) -> apsw.Connection:
    """The connection that a ledger writes with."""
    with ledger._guarded.use() as connection:
        return connection


@pytest.fixture
def path(tmp_path: Path, encoder: Encoder) -> Path:
    """A closed ledger of three entries."""
    made = tmp_path / "audit.db"
    ledger = SqliteLedger(made, encoder)
    ledger.append(many(encoder, 3))
    ledger.close()
    return made


def test_the_columns_are_the_public_ones_in_order(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        columns = tuple(row[1] for row in database.execute("PRAGMA table_info(entries)"))
    assert columns == PUBLIC_COLUMNS == COLUMNS


def test_the_file_says_what_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_writer_syncs_each_commit(path: Path, encoder: Encoder) -> None:
    ledger = SqliteLedger(path, encoder)
    assert connection_of(ledger).pragma("journal_mode") == "wal"
    assert connection_of(ledger).pragma("synchronous") == 2  # FULL
    ledger.close()


def test_a_batch_is_one_transaction_and_few_statements(path: Path, encoder: Encoder) -> None:
    ledger = SqliteLedger(path, encoder)
    statements: list[str] = []

    def trace(cursor: object, sql: str, bindings: object) -> bool:
        statements.append(sql.split()[0])
        return True

    connection_of(ledger).exec_trace = trace
    ledger.append(many(encoder, 512, first=3))
    ledger.close()

    assert statements == ["BEGIN", "SELECT", *3 * ["INSERT"], "UPDATE", "COMMIT"]


OTHER_ROW = (
    "id, type, schema_version, source, occurred_at, recorded_at, user_identity, on_behalf_of,"
    " session_id, correlation_id, causation_id, traceparent, plan_id, project_names, outcome,"
    " outcome_reason, severity, producer, producer_seq, hash_version, leaf_hash, body"
)

FORGERIES = {
    "update": "UPDATE entries SET user_identity = 'mallory' WHERE log_index = 1",
    "update nothing but itself": "UPDATE entries SET id = id",
    "update or replace": "UPDATE OR REPLACE entries SET log_index = 0 WHERE log_index = 2",
    "update or ignore": "UPDATE OR IGNORE entries SET type = 'x'",
    "delete": "DELETE FROM entries WHERE log_index = 1",
    "delete the last": "DELETE FROM entries WHERE log_index = 2",
    "delete all": "DELETE FROM entries",
    "insert with a hole": (
        f"INSERT INTO entries (log_index, {OTHER_ROW}) SELECT 4, 'new', "
        f"{OTHER_ROW.partition(', ')[2]} FROM entries WHERE log_index = 0"
    ),
    "insert before": (
        f"INSERT INTO entries (log_index, {OTHER_ROW}) SELECT -1, 'new', "
        f"{OTHER_ROW.partition(', ')[2]} FROM entries WHERE log_index = 0"
    ),
    "insert a known id": (
        f"INSERT INTO entries (log_index, {OTHER_ROW}) SELECT 3, {OTHER_ROW} FROM entries"
        " WHERE log_index = 0"
    ),
    "replace by index": (
        f"INSERT OR REPLACE INTO entries (log_index, {OTHER_ROW}) SELECT 1, 'new', "
        f"{OTHER_ROW.partition(', ')[2]} FROM entries WHERE log_index = 0"
    ),
    "replace by id": (
        f"INSERT OR REPLACE INTO entries (log_index, {OTHER_ROW}) SELECT 3, {OTHER_ROW}"
        " FROM entries WHERE log_index = 1"
    ),
    "upsert": (
        f"INSERT INTO entries (log_index, {OTHER_ROW}) SELECT 1, {OTHER_ROW} FROM entries"
        " WHERE log_index = 1 ON CONFLICT DO UPDATE SET user_identity = 'mallory'"
    ),
    "change the ledger's id": "UPDATE ledger SET ledger_id = 'x'",
    "delete the ledger's id": "DELETE FROM ledger",
}


@pytest.mark.parametrize("sql", FORGERIES.values(), ids=FORGERIES.keys())
def test_sql_that_would_rewrite_history_is_refused(path: Path, sql: str) -> None:
    before = entries_of(path)
    with closing(sqlite3.connect(path)) as database:
        with pytest.raises(sqlite3.DatabaseError, match=r"append only"):
            database.execute(sql)
        database.rollback()
    assert entries_of(path) == before


def test_a_next_row_by_hand_goes_in(path: Path) -> None:
    # So that the refusals above are the triggers' and not some other fault of their SQL.
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            f"INSERT INTO entries (log_index, {OTHER_ROW}) SELECT 3, 'new', "
            f"{OTHER_ROW.partition(', ')[2]} FROM entries WHERE log_index = 0"
        )
        database.commit()
    assert len(entries_of(path)) == 4


def test_the_trail_goes_on_where_it_was(path: Path, encoder: Encoder) -> None:
    ledger = SqliteLedger(path, encoder)
    (receipt,) = ledger.append(many(encoder, 1, first=3))
    ledger.close()
    entries = entries_of(path)
    check_trail(entries)
    assert isinstance(receipt, Receipt)
    assert receipt.log_index == 3
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM ledger").fetchone() == (1,)


def test_a_commit_that_fails_leaves_no_transaction_and_nothing_entered(
    path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = SqliteLedger(path, encoder)
    real = sqlite._insert_statement

    def broken(rows: int) -> str:
        return real(rows).replace("body", "no_such_column")

    monkeypatch.setattr(sqlite, "_insert_statement", broken)
    with pytest.raises(Exception, match="no_such_column"):
        ledger.append(many(encoder, 2, first=3))
    assert not connection_of(ledger).in_transaction
    monkeypatch.undo()
    assert len(ledger.append(many(encoder, 2, first=3))) == 2
    ledger.close()
    check_trail(entries_of(path))


def deleted(path: Path) -> None:
    path.unlink()


def renamed(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replaced(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))
    path.write_bytes(b"")


@pytest.mark.parametrize("happens", [deleted, renamed, replaced])
def test_a_ledger_that_is_not_at_its_path_any_more_takes_nothing(
    path: Path, encoder: Encoder, happens: Callable[[Path], None]
) -> None:
    ledger = SqliteLedger(path, encoder)
    happens(path)
    with pytest.raises(LedgerInputOutput, match="moved or deleted"):
        ledger.append(many(encoder, 1, first=3))
    ledger.close()


def test_a_ledger_that_is_put_back_goes_on(path: Path, encoder: Encoder) -> None:
    ledger = SqliteLedger(path, encoder)
    away = path.with_name("elsewhere.db")
    path.rename(away)
    with pytest.raises(LedgerInputOutput):
        ledger.append(many(encoder, 1, first=3))
    away.rename(path)
    ledger.append(many(encoder, 1, first=3))
    ledger.close()
    entries = entries_of(path)
    check_trail(entries)
    assert len(entries) == 4


def test_closing_the_last_handle_empties_the_write_ahead_log(path: Path) -> None:
    assert not path.with_name("audit.db-wal").exists()


def test_text_of_every_kind_comes_back(tmp_path: Path, encoder: Encoder) -> None:
    path = tmp_path / "audit.db"
    ledger = SqliteLedger(path, encoder)
    texts = ["", "\x00nul\x00", "ß→🦀", "a\udcffb", "line\nbreak", "'); DROP TABLE entries; --"]
    for number, text in enumerate(texts):
        event = Counted(who=text, number=number, user_identity=text or None, note=text)
        ledger.append([stored(encoder, event, number)])
    ledger.close()
    entries = entries_of(path)
    check_trail(entries)
    assert [entry.payload["who"] for entry in entries] == texts
    for number, entry in enumerate(entries):
        assert Record.of(entry.body).row(number, entry.recorded_at) == entry


def test_the_library_is_past_the_wal_reset_corruption() -> None:
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) > (3, 51, 2)


def test_way_is_given_within_the_transaction_too(path: Path, encoder: Encoder) -> None:
    """After each two rows: what SQLite does for a row takes longer than all that Python does."""
    ledger = SqliteLedger(path, encoder)
    connection = connection_of(ledger)
    inside: list[bool] = []
    ledger.append(many(encoder, 20, first=3), lambda: inside.append(connection.in_transaction))
    assert inside == [False] * 20 + [True] * 10
    ledger.close()
    check_trail(entries_of(path))
