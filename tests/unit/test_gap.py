"""What stands in the ledger for an event that could not be stored."""

from datetime import UTC, datetime
from typing import Literal

import pytest

from minutebook.domain import Entry
from minutebook.domain.entry import Record
from minutebook.domain.gap import substitute
from minutebook.domain.surrogates import unescape
from tests.unit.stored import ENCODER, Anything, body_of

Cause = Literal["repeated", "duplicate_id", "unstorable"]


def record(producer_seq: int = 41) -> Record:
    event = Anything(
        value="lost",
        source="billing/\udc80",
        occurred_at=datetime(2026, 1, 31, 12, 0, 0, 7, tzinfo=UTC),
        user_identity="al\udc80ice\x10",
        on_behalf_of="b\ud800ob",
        session_id="s\x10",
        correlation_id="c",
        plan_id="p",
    )
    return Record.of(body_of(event, producer_seq=producer_seq))


def entry(cause: Cause, of: Record) -> Entry:
    return substitute(of, ENCODER, cause=cause, detail="why").row(0, 0)


def test_a_substitute_is_the_same_at_each_retry() -> None:
    told = record()
    first = substitute(told, ENCODER, cause="unstorable", detail="why")

    assert first == substitute(Record.of(told.body), ENCODER, cause="unstorable", detail="why")
    assert first.id == "c645da06-19ec-5937-8cca-0942fe443406"
    assert substitute(record(42), ENCODER, cause="unstorable", detail="why").id != first.id


def test_a_substitute_takes_the_number_time_and_actors_of_what_it_stands_for() -> None:
    told = record()
    gap = substitute(told, ENCODER, cause="duplicate_id", detail="why")

    for name in (
        *("source", "occurred_at", "user_identity", "on_behalf_of", "session_id"),
        *("correlation_id", "plan_id", "producer", "producer_seq"),
    ):
        assert getattr(gap, name) == getattr(told, name)
    assert unescape(gap.user_identity or "") == "al\udc80ice\x10"
    assert gap.id != told.id


@pytest.mark.parametrize(
    ("cause", "outcome", "severity"),
    [
        ("repeated", "success", "info"),
        ("duplicate_id", "failure", "warning"),
        ("unstorable", "failure", "warning"),
    ],
)
def test_a_substitute_says_what_is_missing_and_why(
    cause: Cause, outcome: str, severity: str
) -> None:
    told = record()
    gap = entry(cause, told)

    assert (gap.type, gap.outcome, gap.severity) == ("audit.gap", outcome, severity)
    assert gap.payload == {
        "cause": cause,
        "count": 1,
        "first_seq": 41,
        "last_seq": 41,
        "event_id": told.id,
        "event_type": "unit.anything",
        "detail": "why",
    }
