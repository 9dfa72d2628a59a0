"""Reading real ledger files: what is found, in which order, and in which state of the file."""

import fnmatch
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from minutebook.actors.ledger import selection, spans
from minutebook.actors.ledger.reader import PAGE_ROWS_MAX, LedgerReader
from minutebook.actors.ledger.selection import Selection
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.statement import Statement
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import Entry
from minutebook.domain.errors import (
    AmbiguousEntry,
    EntryNotFound,
    InvalidQuery,
)
from minutebook.domain.event import AuditEvent
from minutebook.domain.events import AuthFailed, AuthSucceeded, ConfigChanged, SessionCreated
from minutebook.domain.query import EntryFilter
from minutebook.domain.redaction import KEY_BYTES, Redactor

AsOtherUser = Callable[[], AbstractContextManager[None]]
MakeLedger = Callable[[Path, list[AuditEvent]], None]

START = datetime(2026, 1, 1, tzinfo=UTC)


def mixed_events(count: int) -> list[AuditEvent]:
    """Events of several types, users, sessions and outcomes; times not quite in order."""
    dice = random.Random(7)
    events: list[AuditEvent] = []
    for number in range(count):
        envelope: dict[str, Any] = {
            "occurred_at": START + timedelta(seconds=number + dice.uniform(-30, 30)),
            "user_identity": dice.choice(["alice", "bob", None]),
            "session_id": dice.choice(["s-1", "s-2", None]),
            "correlation_id": dice.choice([None, f"req-{number // 3}"]),
            "plan_id": dice.choice([None, None, "plan-1", "plan-2"]),
        }
        draw = dice.random()
        if draw < 0.6:
            events.append(ConfigChanged(key=f"k{number}", scope="file", **envelope))
        elif draw < 0.9:
            events.append(AuthSucceeded(method="token", principal="bob", attempts=1, **envelope))
        elif draw < 0.98:
            events.append(
                AuthFailed(
                    method="token", principal="bob", reason="expired", attempts=1, **envelope
                )
            )
        else:
            events.append(SessionCreated(actor_name="local/x", outcome="denied", **envelope))
    return events


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mixed") / "mixed.db"
    encoder = Encoder(Redactor(b"k" * KEY_BYTES))
    ledger = SqliteLedger(path, encoder)
    ledger.append(
        [
            with_producer(encoder.encode_head(event), "0a" * 16, number)
            for number, event in enumerate(mixed_events(4 * PAGE_ROWS_MAX + 100))
        ]
    )
    ledger.close()
    return path


def matches(entry: Entry, wanted: EntryFilter) -> bool:
    """What a filter means, said once more in plain Python."""
    return (
        (not wanted.types or any(fnmatch.fnmatchcase(entry.type, glob) for glob in wanted.types))
        and wanted.user in {None, entry.user_identity}
        and wanted.plan in {None, entry.plan_id}
        and wanted.session in {None, entry.session_id}
        and wanted.correlation in {None, entry.correlation_id}
        and wanted.outcome in {None, entry.outcome}
        and (wanted.since is None or entry.occurred_time >= wanted.since)
        and (wanted.until is None or entry.occurred_time < wanted.until)
    )


FILTERS = [
    EntryFilter(),
    EntryFilter(types=("auth.failed",)),
    EntryFilter(types=("auth.*",)),
    EntryFilter(types=("*ed",)),
    EntryFilter(types=("[as]*", "config.changed")),
    EntryFilter(types=("session.created", "auth.failed")),
    EntryFilter(types=("config.change?",)),
    EntryFilter(types=("nobody.knows_it", "no.*")),
    EntryFilter(types=("nobody.knows_it",)),
    EntryFilter(user="alice"),
    EntryFilter(plan="plan-2"),
    EntryFilter(session="s-2"),
    EntryFilter(correlation="req-100"),
    EntryFilter(outcome="failure"),
    EntryFilter(outcome="success"),
    EntryFilter(outcome="denied"),
    EntryFilter(since=START + timedelta(seconds=500)),
    EntryFilter(until=START + timedelta(seconds=500)),
    EntryFilter(since=START + timedelta(seconds=200), until=START + timedelta(seconds=700)),
    EntryFilter(since=START + timedelta(days=1)),
    EntryFilter(until=START - timedelta(days=1)),
    EntryFilter(types=("auth.*",), user="bob", since=START + timedelta(seconds=300)),
    EntryFilter(types=("config.*",), plan="plan-1", session="s-1", outcome="success"),
    EntryFilter(user="alice", outcome="failure", until=START + timedelta(seconds=900)),
    EntryFilter(user="alice' OR '1'='1"),
    EntryFilter(user="\udc80", types=("\udc80*",)),
]


@pytest.mark.parametrize("limit", [None, 1, 5, PAGE_ROWS_MAX, PAGE_ROWS_MAX + 1, 10_000])
@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_exactly_the_matching_entries_come_newest_last(
    mixed: Path, wanted: EntryFilter, limit: int | None
) -> None:
    """Each filter, alone and with others, finds what a look at every entry finds."""
    with LedgerReader(mixed) as reader:
        expected = [entry for entry in reader.entries() if matches(entry, wanted)]
        found = list(reader.entries(wanted, limit))

    assert found == (expected if limit is None else expected[-limit:])


def test_the_entries_are_those_that_were_appended(mixed: Path) -> None:
    """All of them, by index without holes, each as the bytes say."""
    with LedgerReader(mixed) as reader:
        entries = list(reader.entries())

        assert [entry.log_index for entry in entries] == list(range(reader.count()))
        assert reader.last_index() == len(entries) - 1
    events = mixed_events(len(entries))
    assert [entry.type for entry in entries] == [event.type for event in events]
    assert [entry.occurred_time for entry in entries] == [event.occurred_at for event in events]


def test_since_is_inclusive_and_until_exclusive(tmp_path: Path, make_ledger: MakeLedger) -> None:
    """To the microsecond, on occurred_at."""
    tick = timedelta(microseconds=1)
    make_ledger(
        tmp_path / "l.db",
        [ConfigChanged(key=f"k{n}", scope="file", occurred_at=START + n * tick) for n in range(4)],
    )

    with LedgerReader(tmp_path / "l.db") as reader:
        wanted = EntryFilter(since=START + tick, until=START + 3 * tick)
        assert [entry.payload["key"] for entry in reader.entries(wanted)] == ["k1", "k2"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused_at_once(mixed: Path, limit: int) -> None:
    """Not only when the first entry is taken."""
    with LedgerReader(mixed) as reader, pytest.raises(InvalidQuery, match="give 1 or more"):
        reader.entries(limit=limit)


# -- indexes --------------------------------------------------------------------


def plan_of(path: Path, statement: Statement) -> str:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = connection.execute("EXPLAIN QUERY PLAN " + statement.sql, statement.bindings)
        return "\n".join(row[3] for row in rows)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("wanted", "types", "index"),
    [
        (EntryFilter(), (), "USING INTEGER PRIMARY KEY"),
        (EntryFilter(), ("auth.failed",), "INDEX entries_by_type (type=? AND rowid>?"),
        (
            EntryFilter(user="bob"),
            (),
            "INDEX entries_by_user (<expr>=? AND user_identity=? AND log_index>?",
        ),
        (EntryFilter(plan="p"), (), "INDEX entries_by_plan (plan_id=? AND rowid>?"),
        (EntryFilter(session="s"), (), "INDEX entries_by_session (session_id=? AND rowid>?"),
        (
            EntryFilter(correlation="c"),
            (),
            "INDEX entries_by_correlation (correlation_id=? AND rowid>?",
        ),
        (EntryFilter(outcome="failure"), (), "INDEX entries_by_trouble (outcome=? AND rowid>?"),
        (EntryFilter(since=START), (), "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (
            EntryFilter(since=START, user="bob"),
            (),
            "INDEX entries_by_user (<expr>=? AND user_identity=? AND log_index>?",
        ),
    ],
    ids=str,
)
def test_each_filter_seeks_in_its_index_and_sorts_nothing(
    mixed: Path, wanted: EntryFilter, types: tuple[str, ...], index: str
) -> None:
    """A page starts in the middle of the index, in order: no scan, no sort."""
    selected = Selection.of(wanted, types)

    for statement in (selected.page(10, 20, 5), selected.nth_newest(10, 20, 5)):
        plan = plan_of(mixed, statement)
        assert "SEARCH" in plan
        assert index in plan
        assert "TEMP B-TREE" not in plan


def test_several_types_use_the_index_too(mixed: Path) -> None:
    """Their order needs a sort, of at most one window."""
    plan = plan_of(mixed, Selection.of(EntryFilter(), ("a.b", "c.d")).page(10, 20, 5))

    assert "INDEX entries_by_type (type=? AND rowid>? AND rowid<?)" in plan


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (spans.looked_up(START, None, 9), "COVERING INDEX entries_by_time (occurred_at>?)"),
        (spans.looked_up(None, START, 9), "COVERING INDEX entries_by_time (occurred_at<?)"),
        (spans.looked_up(START, START, 9), "entries_by_time (occurred_at>? AND occurred_at<?)"),
        (spans.first_block(START, 9), "COVERING INDEX entries_by_block (<expr>=?)"),
        (spans.last_block(START, 9), "COVERING INDEX entries_by_block (<expr>=?)"),
        (selection.types_like("a.*"), "COVERING INDEX entries_by_type (type>?)"),
        (selection.by_index(3), "USING INTEGER PRIMARY KEY (rowid=?)"),
        (selection.by_id_prefix("0199", 2), "INDEX entries_by_id (id>? AND id<?)"),
    ],
)
def test_everything_else_that_is_asked_uses_an_index(
    mixed: Path, statement: Statement, index: str
) -> None:
    """Times, patterns, ids and indexes."""
    assert index in plan_of(mixed, statement)


# -- one entry ------------------------------------------------------------------

IDS = [
    "0199aaaa-0000-7000-8000-000000000000",
    "0199aaaa-0000-7000-8000-000000000001",
    "12345678-0000-4000-8000-000000000002",
    "00000003-0000-4000-8000-000000000003",
]


@pytest.fixture
def four(tmp_path: Path, make_ledger: MakeLedger) -> Iterator[LedgerReader]:
    make_ledger(
        tmp_path / "four.db",
        [ConfigChanged(id=event_id, key="k", scope="file") for event_id in IDS],
    )
    with LedgerReader(tmp_path / "four.db") as reader:
        yield reader


@pytest.mark.parametrize(
    ("name", "log_index"),
    [
        ("0", 0),
        ("3", 3),
        (" 2\n", 2),
        (IDS[1], 1),
        (IDS[1].upper(), 1),
        ("0199aaaa-0000-7000-8000-00000000000", None),
        ("0199aaaa", None),
        ("12345678", 2),
        ("12345678-00", 2),
        ("00000003", 3),
    ],
)
def test_an_entry_has_an_id_a_beginning_of_it_and_an_index(
    four: LedgerReader, name: str, log_index: int | None
) -> None:
    """What fits two entries is refused and both are named."""
    if log_index is None:
        with pytest.raises(AmbiguousEntry, match=f"entry 0 .{IDS[0]}., entry 1 .{IDS[1]}."):
            four.get(name)
    else:
        assert four.get(name).log_index == log_index


@pytest.mark.parametrize(
    "name",
    ["4", "99999999999999999999999", "9223372036854775807", "ffffffff", "0000000", IDS[0] + "0",
     "12345678' OR 1", "12345678%", "\udc80\udc80\udc80\udc80\udc80\udc80\udc80\udc80"],
)  # fmt: skip
def test_what_is_not_there_is_said_not_to_be(four: LedgerReader, name: str) -> None:
    """By index as by id; odd text is no SQL."""
    with pytest.raises((EntryNotFound, InvalidQuery)):
        four.get(name)


@pytest.mark.parametrize("name", ["", "0199aaa", "-1", "٣", "12.5"])
def test_too_little_of_an_id_is_refused(four: LedgerReader, name: str) -> None:
    """With how much is needed."""
    with pytest.raises(InvalidQuery, match="first 8 characters"):
        four.get(name)


def test_an_index_that_reads_like_the_beginning_of_an_id_is_ambiguous(
    tmp_path: Path, four: LedgerReader
) -> None:
    """Eight digits may be either; both being there, neither is guessed."""
    path = tmp_path / "four.db"
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER entries_only_grow")
    connection.execute(
        "INSERT INTO entries SELECT 12345678, 'ffffffff-x', * FROM"
        " (SELECT " + ", ".join(Entry._fields[2:]) + " FROM entries WHERE log_index = 0)"
    )
    connection.close()

    with pytest.raises(AmbiguousEntry, match="entry 12345678"):
        four.get("12345678")
    assert four.get("12345678-").log_index == 2
