"""What may be asked of a ledger: times and filters."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minutebook.domain.errors import InvalidQuery, MinutebookError
from minutebook.domain.query import EntryFilter, is_glob, parse_time

NOW = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("20260131", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:05", datetime(2026, 1, 31, 12, 5, tzinfo=UTC)),
        ("2026-01-31 12:05:06", datetime(2026, 1, 31, 12, 5, 6, tzinfo=UTC)),
        ("2026-01-31T12:05:06.25Z", datetime(2026, 1, 31, 12, 5, 6, 250_000, tzinfo=UTC)),
        ("2026-01-31t12:05:06z", datetime(2026, 1, 31, 12, 5, 6, tzinfo=UTC)),
        ("2026-01-31T12:05:06.123456+02:00", datetime(2026, 1, 31, 10, 5, 6, 123456, tzinfo=UTC)),
        ("2026-01-31T00:05-0130", datetime(2026, 1, 31, 1, 35, tzinfo=UTC)),
        ("20260131T120506Z", datetime(2026, 1, 31, 12, 5, 6, tzinfo=UTC)),
        (" 2026-01-31 ", datetime(2026, 1, 31, tzinfo=UTC)),
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("1w", NOW - timedelta(weeks=1)),
        ("0s", NOW),
    ],
)
def test_a_time_is_absolute_or_so_long_ago(text: str, expected: datetime) -> None:
    """RFC 3339 and ISO 8601 in UTC unless they say otherwise, or a span before now."""
    moment = parse_time(text, NOW)

    assert moment == expected
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2",
        "h",
        "-2h",
        "2 h",
        "2H",
        "1.5h",
        "2y",
        "٢h",
        "2026",
        "2026-13-01",
        "2026-02-30",
        "2026-01-31T25:00",
        "2026-01-31+02:00",
        "2026-01-31x12:00",
        "2026-01-31T12:00 or so",
        "0001-01-01T00:00+10:00",
        "9999999w",
        "9" * 5000 + "d",
        "12:00",
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    """One kind of error, whose message is short and shows what would be right."""
    with pytest.raises(InvalidQuery, match=r"is no time; write 2026-01-31, .* 2h") as caught:
        parse_time(text, NOW)

    assert isinstance(caught.value, MinutebookError)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 300


@given(st.text())
def test_no_text_gives_anything_but_a_time_or_the_error(text: str) -> None:
    """Whatever is typed, there is no other exception."""
    try:
        moment = parse_time(text, NOW)
    except InvalidQuery:
        return
    assert moment.tzinfo is UTC


@given(
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))])).filter(
        lambda moment: 2 < moment.year < 9998
    )
)
def test_what_isoformat_writes_is_read_back(moment: datetime) -> None:
    """Python's own form of an aware datetime names the same moment."""
    assert parse_time(moment.isoformat(), NOW) == moment


def test_a_filters_times_must_be_aware() -> None:
    """A naive datetime could mean any of 26 hours."""
    naive = NOW.replace(tzinfo=None)

    with pytest.raises(InvalidQuery, match="since has no time zone"):
        EntryFilter(since=naive)
    with pytest.raises(InvalidQuery, match="until has no time zone"):
        EntryFilter(until=naive)


def test_a_filters_span_may_be_empty_but_not_reversed() -> None:
    """From after to before is a mistake of whoever asks."""
    EntryFilter(since=NOW, until=NOW)

    with pytest.raises(InvalidQuery, match="swap the two times"):
        EntryFilter(since=NOW, until=NOW - timedelta(microseconds=1))


def test_a_pattern_is_told_from_an_exact_type() -> None:
    """The three characters with which SQLite's GLOB begins something."""
    assert [is_glob(text) for text in ("plan.*", "plan.?", "[ps]*", "plan.created")] == [
        True,
        True,
        True,
        False,
    ]
