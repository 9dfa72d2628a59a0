"""Entries: the leaf hash, and how stored bytes read back."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from minutebook.domain import Receipt
from minutebook.domain.entry import (
    COLUMNS,
    HASH_VERSION,
    Record,
    from_microseconds,
    leaf_hash,
    leaf_input,
    same_event,
    to_microseconds,
)
from tests.unit.stored import Anything, body_of, entry_of

# Made with sha256sum, byte by byte: 00, then the leaf input, which is a byte for the version,
# eight for the time, and the stored bytes.
VECTORS = [
    (
        0,
        b"",
        "01_0000000000000000_",
        "13c6a7b85fcb0443c1d31dafe22561aac714fbaa99d3b9a56474d8dda0c9aee0",
    ),
    (
        0x0005EC0000000001,
        b'{"a":1}',
        "01_0005ec0000000001_7b2261223a317d",
        "9035c52183cae9b9ee2ebd8ef376e588a80e6012799ad9ed08c3647900f52fc2",
    ),
]


@pytest.mark.parametrize(("recorded_at", "body", "data", "digest"), VECTORS)
def test_a_leaf_is_hashed_like_this_for_ever(
    recorded_at: int, body: bytes, data: str, digest: str
) -> None:
    assert HASH_VERSION == 1
    assert leaf_input(recorded_at, body) == bytes.fromhex(data.replace("_", ""))
    assert leaf_hash(leaf_input(recorded_at, body)).hex() == digest


def test_the_empty_leaf_is_that_of_rfc_6962() -> None:
    assert (
        leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )


def test_an_edited_or_back_dated_entry_has_another_leaf() -> None:
    leaf = leaf_hash(leaf_input(1000, b"body"))

    assert leaf != leaf_hash(leaf_input(999, b"body"))
    assert leaf != leaf_hash(leaf_input(1000, b"bodz"))
    assert leaf != hashlib.sha256(leaf_input(1000, b"body")).digest()


def test_a_record_becomes_an_entry_with_place_time_and_leaf() -> None:
    body = body_of(Anything(value=1), producer_seq=7)
    entry = Record.of(body).row(5, 1_000_001)

    assert (entry.log_index, entry.recorded_at, entry.hash_version) == (5, 1_000_001, 1)
    assert entry.leaf_hash == leaf_hash(leaf_input(1_000_001, body))
    assert (entry.body, entry.producer, entry.producer_seq) == (body, "0a" * 16, 7)
    assert entry.recorded_time == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
    assert Receipt(5, entry.leaf_hash, 1_000_001).recorded_time == entry.recorded_time


def test_the_columns_are_those_of_the_table() -> None:
    names = (
        *("log_index", "id", "type", "schema_version", "source", "occurred_at", "recorded_at"),
        *("user_identity", "on_behalf_of", "session_id", "correlation_id", "causation_id"),
        *("traceparent", "plan_id", "project_names", "outcome", "outcome_reason", "severity"),
        *("producer", "producer_seq", "hash_version", "leaf_hash", "body"),
    )
    assert names == COLUMNS


def test_a_json_object_has_the_columns_the_payload_and_no_body() -> None:
    event = Anything(
        value={"name": "\udc80"},
        project_names=("a", "b"),
        occurred_at=datetime(2026, 1, 31, tzinfo=UTC),
    )
    shown = Record.of(body_of(event)).row(0, 1_000_000).as_json_object()

    assert set(shown) == {*COLUMNS, "payload"} - {"body"}
    assert shown["occurred_at"] == "2026-01-31T00:00:00.000000Z"
    assert shown["recorded_at"] == "1970-01-01T00:00:01.000000Z"
    assert shown["project_names"] == ["a", "b"]
    assert shown["payload"] == {"value": {"name": "\x10dc80"}}
    assert len(shown["leaf_hash"]) == 64
    assert json.loads(json.dumps(shown)) == shown


def test_an_unknown_type_reads_like_any_other() -> None:
    body = body_of(Anything(value={"k": "v"})).replace(b"unit.anything", b"of.nobody_known")
    entry = Record.of(body).row(0, 0)

    assert (entry.type, entry.payload) == ("of.nobody_known", {"value": {"k": "v"}})


def test_text_that_only_looks_escaped_is_left_alone() -> None:
    for text in ("\\u0010dc80", "u0010dc80", "\\x10dc80"):
        assert entry_of(Anything(value=text)).payload == {"value": text}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"value": 1}, {"value": 1}, True),
        ({"value": {"a": 1, "b": 2}}, {"value": {"b": 2, "a": 1}}, True),
        ({"value": 1}, {"value": 1, "user_identity": "bob", "severity": "error"}, True),
        ({"value": 1}, {"value": 1, "occurred_at": datetime(2026, 1, 1, tzinfo=UTC)}, True),
        ({"value": 1}, {"value": 2}, False),
        ({"value": 1}, {"value": True}, False),
        ({"value": 1}, {"value": 1.0}, False),
        ({"value": 0}, {"value": None}, False),
        ({"value": [1, 2]}, {"value": [2, 1]}, False),
    ],
)
def test_the_same_event_has_the_same_type_and_payload(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    first, second = body_of(Anything(**one)), body_of(Anything(**other), producer_seq=9)

    assert same_event(first, second) is same
    assert not same_event(first, second.replace(b"unit.anything", b"unit.other"))


def test_microseconds_are_exact_at_the_ends_of_time() -> None:
    for moment in (
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ):
        assert from_microseconds(to_microseconds(moment)) == moment
    assert to_microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
