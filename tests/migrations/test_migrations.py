"""Files of every version, as a host left them, are brought to this version and stay readable."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import apsw
import orjson
import pytest

from minutebook.actors import AuditSystem, appdb
from minutebook.actors.appdb import AppDatabase
from minutebook.actors.ledger import inspection
from minutebook.actors.ledger.migrating import migrate
from minutebook.actors.ledger.reader import LedgerReader
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.entry import leaf_hash, leaf_input
from minutebook.domain.errors import AppDatabaseError, LedgerTooNew
from tests.contract.trail import ROOT, WAIT_S, new_encoder, start_child
from tests.migrations.stored_files import VERSIONS, rows_of, schema_of, unpack, version_of


class Kind(NamedTuple):
    """One of the two databases."""

    name: str
    suffix: str
    version: int
    open: Callable[[Path], None]

    def path(self, ledger: Path) -> Path:
        return ledger.with_name(ledger.name + self.suffix)


KINDS = (
    Kind(
        "ledger",
        "",
        inspection.SCHEMA_VERSION,
        lambda path: SqliteLedger(path, new_encoder()).close(),
    ),
    Kind("app", ".app.db", appdb.SCHEMA_VERSION, lambda path: AppDatabase(path).close()),
)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each of the databases."""
    found: Kind = request.param
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_database_becomes_what_a_new_one_is(
    tmp_path: Path, kind: Kind, version: int
) -> None:
    """Whoever changes a schema writes the step that brings old files there, too."""
    old = kind.path(unpack(version, tmp_path))
    new = tmp_path / "new.db"
    kind.open(old)
    kind.open(new)
    assert version_of(old) == version_of(new) == kind.version
    assert schema_of(old) == schema_of(new)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_host_goes_on_with_old_files(tmp_path: Path, version: int) -> None:
    """What was told is there unchanged, what a killed process left is told, the state is known."""
    ledger = unpack(version, tmp_path)
    before = rows_of(ledger, "entries")
    users = rows_of(tmp_path / "audit.db.app.db", "users")
    outbox = rows_of(tmp_path / "audit.db.app.db", "outbox")
    assert len({row["type"] for row in before}) > 20
    assert users
    assert outbox
    with AuditSystem.open(ledger, service="shop") as system:
        names = [user.name for user in system.auth.list_users().get(timeout=WAIT_S)]
        assert names == sorted(user["name"] for user in users)
        plans = system.plans.list().get(timeout=WAIT_S)
        assert {plan.action for plan in plans} > {"Created", "Strategized", "Executed"}
        sessions = system.sessions.list(open_only=False).get(timeout=WAIT_S)
        assert len(sessions) == 2
        timeout = system.config.get("provider.timeout_s").get(timeout=WAIT_S)
        assert timeout.value == 30
    after = rows_of(ledger, "entries")
    assert after[: len(before)] == before
    assert {row["event_id"] for row in outbox} <= {row["id"] for row in after}
    for row in after:
        assert row["leaf_hash"] == leaf_hash(leaf_input(row["recorded_at"], row["body"]))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_reader_needs_no_migration(tmp_path: Path, version: int) -> None:
    ledger = unpack(version, tmp_path)
    rows = rows_of(ledger, "entries")  # and SQLite empties the log of the killed process
    ledger.chmod(0o444)
    content = ledger.read_bytes()
    with LedgerReader(ledger) as reader:
        entries = list(reader.entries())
    assert [entry._asdict() for entry in entries] == rows
    assert ledger.read_bytes() == content
    assert version_of(ledger) == version


@pytest.mark.parametrize("version", VERSIONS)
def test_every_old_event_of_the_catalogue_is_one_of_todays_classes(
    tmp_path: Path, version: int
) -> None:
    """Whoever changes an event class so that old rows do not fit it writes an upcaster, too."""
    with LedgerReader(unpack(version, tmp_path)) as reader:
        entries = list(reader.entries())
    read = set()
    for entry in entries:
        if entry.type.startswith(("files_test.", "story_test.")):
            continue  # of the host whose files they are
        event = entry.event()
        assert (type(event).type, event.id) == (entry.type, entry.id)
        read.add(entry.type)
        if event.schema_version == entry.schema_version:
            told = orjson.loads(new_encoder().encode_head(event) + b"}")["payload"]
            assert told | orjson.loads(entry.body)["payload"] == told
    assert len(read) >= 20


def test_all_who_open_old_ones_at_once_find_them_migrated_once(tmp_path: Path) -> None:
    old = KINDS[1].path(unpack(1, tmp_path / "unpacked"))
    rows_of(old, "sessions")
    children = [start_child("tests.processes.opening_appdb", tmp_path) for _ in range(3)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for number in range(10):
        shutil.copy(old, tmp_path / f"{number}.db")
        for child in children:
            assert child.stdin is not None
            child.stdin.write(f"{number}.db\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "2\n"
    for child in children:
        assert child.communicate(timeout=WAIT_S) == ("", "")
    assert schema_of(tmp_path / "0.db") == schema_of(tmp_path / "9.db")


def die_before(kind: Kind, path: Path, count: int) -> subprocess.CompletedProcess[str]:
    """Migrate in a process that dies before a statement of the transaction that does it."""
    command = [sys.executable, "-m", "tests.migrations.dying", kind.name, str(path), str(count)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def statements(kind: Kind, directory: Path) -> int:
    """How many statements the transaction has that migrates the oldest files."""
    run = die_before(kind, kind.path(unpack(VERSIONS[0], directory)), 0)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def check_kills(kind: Kind, directory: Path, counts: Iterable[int]) -> None:
    """A kill leaves the old version, and who opens it next brings it all the way."""
    old = kind.path(unpack(VERSIONS[0], directory))
    schema = schema_of(old)
    for count in counts:
        run = die_before(kind, old, count)
        assert run.returncode == -signal.SIGKILL, run.stderr
        assert version_of(old) == VERSIONS[0]
        assert schema_of(old) == schema
    kind.open(old)
    assert version_of(old) == kind.version


def test_a_kill_on_the_way_leaves_the_old_version(tmp_path: Path, kind: Kind) -> None:
    """At the beginning, in the middle, and before the commit."""
    last = statements(kind, tmp_path / "counted")
    assert last > 5
    check_kills(kind, tmp_path, (1, last // 2, last))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_before_any_statement_leaves_the_old_version(tmp_path: Path, kind: Kind) -> None:
    last = statements(kind, tmp_path / "counted")
    check_kills(kind, tmp_path, range(1, last + 1))


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    ledger = unpack(VERSIONS[-1], tmp_path)
    for kind, error in zip(KINDS, (LedgerTooNew, AppDatabaseError), strict=True):
        path = kind.path(ledger)
        kind.open(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 1000")
        content = path.read_bytes()
        with pytest.raises(error, match=r"version 1000, and this .*upgrade Minutebook"):
            kind.open(path)
        assert path.read_bytes() == content


def test_steps_run_in_order_from_where_the_database_is() -> None:
    steps = {
        2: "CREATE TABLE a (x); INSERT INTO a VALUES (2) RETURNING x; INSERT INTO a VALUES (3);",
        3: "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1;",
        4: "ALTER TABLE a RENAME COLUMN y TO z;",
    }
    connection = apsw.Connection(":memory:")
    connection.pragma("user_version", 1)
    for version in (1, 3, 3, 4):
        migrate(connection, "a", version, lambda name, step: steps[step])
        assert connection.pragma("user_version") == version
    assert connection.execute("SELECT x, z FROM a").fetchall() == [(2, 3), (3, 4)]
