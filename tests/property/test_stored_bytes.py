"""Whatever an event says: valid JSON, exact, the same by either path, and readable again."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from minutebook.domain import AuditEvent
from minutebook.domain.encoding import with_producer
from minutebook.domain.entry import Record, from_microseconds, same_event, to_microseconds
from minutebook.domain.errors import InvalidEvent
from minutebook.domain.redaction import is_secret_name
from minutebook.domain.surrogates import ESCAPE_IN_JSON, escape, unescape, unescape_all
from tests.unit.stored import (
    ENCODER,
    PRODUCER,
    Anything,
    body_of,
    entry_of,
    head_by_the_rules,
    payload_of,
    takes_plain_path,
)

# Any text that Python can hold, with what needs care made likely.
CHARACTERS = st.one_of(
    st.characters(),
    st.sampled_from('\x10\ud800\udbff\udc00\udcff\udfff0dc8"\\\x00\n\u2028\uffff'),
)
TEXTS = st.text(CHARACTERS, max_size=30)
NAMES = TEXTS.filter(bool)
INTEGERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([-(2**63), -1, 0, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]),
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.one_of(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES),  # noqa: DTZ001
    st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)),
)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, TEXTS)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["a", "b"]) | TEXTS, inner)
    ),
    max_leaves=12,
)


class Inner(BaseModel):
    name: str
    ratio: float | None
    marks: tuple[str, ...] = ()


class Outer(BaseModel):
    inner: Inner
    inners: list[Inner]


class Plain(AuditEvent, type="property.plain"):
    text: str
    number: int
    ratio: float
    flag: bool
    maybe: str | int | None
    word: Literal["one", "two"]
    identifier: UUID
    texts: list[str]
    pairs: tuple[tuple[int, str], ...]
    outer: Outer


class Wide(Inner):
    anything: Any = None


@dataclass
class Thing:
    name: str
    value: Any


INNERS = st.builds(
    Inner, name=TEXTS, ratio=st.none() | FLOATS, marks=st.lists(TEXTS, max_size=2).map(tuple)
)
PLAIN = st.builds(
    Plain,
    occurred_at=MOMENTS,
    user_identity=st.none() | NAMES,
    outcome_reason=st.none() | TEXTS,
    project_names=st.lists(TEXTS, max_size=2).map(tuple),
    text=TEXTS,
    number=INTEGERS,
    ratio=FLOATS | st.integers(-5, 5),
    flag=st.booleans(),
    maybe=st.none() | TEXTS | INTEGERS,
    word=st.sampled_from(["one", "two"]),
    identifier=st.uuids(),
    texts=st.lists(TEXTS, max_size=3),
    pairs=st.lists(st.tuples(INTEGERS, TEXTS), max_size=3).map(tuple),
    outer=st.builds(
        Outer,
        inner=INNERS | st.builds(Wide, name=TEXTS, ratio=FLOATS, anything=JSON),
        inners=st.lists(INNERS, max_size=2),
    ),
)


SEAMS = (
    ',"severity":"',
    '"severity":',
    '","severity":"info",',
    '"source":null',
    '"payload":{',
    "\\",
    '"',
)


@given(PLAIN, st.lists(st.sampled_from(SEAMS), max_size=3).map("".join), st.booleans())
def test_no_text_can_be_taken_for_a_seam(event: Plain, text: str, sourced: bool) -> None:
    """The fast path cuts the bytes at the id, the source and the severity: never inside a text."""
    words = tuple(text.split(","))
    sewn = event.model_copy(
        update={
            "outcome_reason": text,
            "user_identity": f"u{text}",
            "project_names": (*words, "severity"),
            "texts": [*words, "severity", "info"],
            "source": f"s{text}" if sourced else None,
        }
    )
    head = ENCODER.encode_head(sewn)
    assert head == head_by_the_rules(sewn)
    assert json.loads(with_producer(head, PRODUCER, 0))["outcome_reason"] == text


@given(PLAIN)
def test_the_fast_path_and_the_rules_write_the_same_bytes(event: Plain) -> None:
    assert takes_plain_path(event)
    head = ENCODER.encode_head(event)

    assert head == head_by_the_rules(event)
    said = json.loads(with_producer(head, PRODUCER, 0))
    assert said["payload"]["ratio"] == event.ratio
    assert said["payload"]["number"] == event.number


@given(PLAIN)
def test_a_plain_event_says_what_it_was_given(event: Plain) -> None:
    entry = entry_of(event)
    payload = entry.payload

    assert entry.occurred_time == event.occurred_at
    assert entry.user_identity == (event.user_identity and escape(event.user_identity))
    assert unescape_all(orjson.loads(entry.project_names)) == list(event.project_names)
    assert payload["text"] == event.text
    assert payload["texts"] == event.texts
    assert payload["pairs"] == [list(pair) for pair in event.pairs]
    assert payload["outer"]["inners"] == [
        {"name": part.name, "ratio": part.ratio, "marks": list(part.marks)}
        for part in event.outer.inners
    ]
    assert list(payload) == list(Plain.payload_names)


@given(MOMENTS)
def test_a_moment_is_exact_to_the_microsecond(moment: datetime) -> None:
    microseconds = Record.of(body_of(Anything(occurred_at=moment))).occurred_at

    assert microseconds == to_microseconds(moment)
    assert from_microseconds(microseconds) == moment


@given(JSON)
def test_what_json_can_say_reads_back_unchanged(value: Any) -> None:
    body = body_of(Anything(value={"under": value}))

    json.loads(body.decode("utf-8"))
    assert json.dumps(entry_of(Anything(value={"under": value})).payload) == json.dumps(
        {"value": {"under": value}}
    )
    assert same_event(body, body_of(Anything(value={"under": value})))


@given(TEXTS, NAMES, st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_any_text_is_stored_as_valid_utf8_and_comes_back(
    text: str, identity: str, mapping: dict[str, str]
) -> None:
    mapping = {key: value for key, value in mapping.items() if not is_secret_name(key)}
    event = Anything(value=[text, mapping], user_identity=identity, outcome_reason=text)
    entry = entry_of(event)

    said = json.loads(entry.body.decode("utf-8", "strict"))
    json.dumps(said, ensure_ascii=False).encode("utf-8", "strict")
    assert entry.payload == {"value": [text, mapping]}
    assert unescape(entry.user_identity or "") == identity
    assert unescape(entry.outcome_reason or "") == text
    assert unescape_all(said["payload"]) == entry.payload


@given(TEXTS)
def test_escapes_are_reversible_and_marked(text: str) -> None:
    escaped = escape(text)

    assert unescape(escaped) == text
    escaped.encode("utf-8", "strict")
    assert (ESCAPE_IN_JSON in orjson.dumps(escaped)) or escaped == text


@given(TEXTS, TEXTS)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) is (one == other)


@given(
    st.recursive(
        st.sampled_from([math.nan, math.inf, -math.inf]),
        lambda inner: st.one_of(
            st.tuples(inner, st.just(1)),
            st.lists(inner, min_size=1, max_size=2),
            st.fixed_dictionaries({"k": inner}),
            st.builds(Thing, name=st.just("n"), value=inner),
            st.builds(Wide, name=st.just("n"), ratio=st.none(), anything=inner),
        ),
        max_leaves=4,
    )
)
def test_no_nan_reaches_the_bytes(value: Any) -> None:
    with pytest.raises(InvalidEvent, match="which JSON cannot carry; use None or text"):
        body_of(Anything(value=value))


@given(st.sets(INTEGERS | TEXTS | st.booleans() | st.none() | st.tuples(INTEGERS, TEXTS)))
def test_equal_sets_have_equal_bytes(items: set[Any]) -> None:
    # Another order of insertion, and another size of the table on the way.
    other = set(range(10_000, 10_500)) | items
    for item in [item for item in other if item not in items]:
        other.discard(item)

    assert payload_of(Anything(value=items)) == payload_of(Anything(value=other))


@given(st.timedeltas())
def test_a_duration_is_exact(span: timedelta) -> None:
    text = payload_of(Anything(value=span))["value"]

    assert TypeAdapter(timedelta).validate_python(text) == span
    if abs(span) < timedelta(days=365):
        assert text == to_jsonable_python(span)
