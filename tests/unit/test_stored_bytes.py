"""The stored bytes of an event: fixed for ever, exact, and bounded."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field

from minutebook.domain import AuditEvent, InvalidEvent, bind
from minutebook.domain.encoding import PAYLOAD_BYTES_MAX, Encoder, with_producer
from minutebook.domain.entry import Record, to_microseconds
from minutebook.domain.event import registered_types
from tests.unit.stored import (
    ENCODER,
    REDACTOR,
    Anything,
    body_of,
    declare,
    entry_of,
    head_by_the_rules,
    payload_of,
    takes_plain_path,
)

# Written out, not computed: ledgers of every later version must read and hash the same.
GOLDEN_PLAIN = (
    b'{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"golden.plain","schema_version":2,'
    b'"source":"billing","occurred_at":"2026-01-31T12:00:00.000000Z","user_identity":"alice",'
    b'"on_behalf_of":null,"session_id":"s-1","correlation_id":null,"causation_id":null,'
    b'"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","plan_id":null,'
    b'"project_names":["one","two"],"outcome":"failure","outcome_reason":null,'
    b'"severity":"warning","payload":{"text":"K\xc3\xa4se \\"1\\"","number":-7,"real":0.1,'
    b'"flag":true,"nothing":null,"items":[1,2],"part":{"b":1,"a":2}},'
    b'"producer":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","producer_seq":41}'
)
GOLDEN_ANY = (
    b'{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"golden.any","schema_version":1,'
    b'"source":"app","occurred_at":"1969-12-31T23:59:59.999999Z","user_identity":"\\u0010dc80",'
    b'"on_behalf_of":null,"session_id":null,"correlation_id":null,"causation_id":null,'
    b'"traceparent":null,"plan_id":null,"project_names":[],"outcome":"success",'
    b'"outcome_reason":null,"severity":"info","payload":{"value":{"when":'
    b'"2026-01-31T10:00:00.000000Z","password":"[secret hmac-sha256:f6c2ff60161a7959]",'
    b'"\\u0010d800":"\\u00100010"}},'
    b'"producer":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","producer_seq":0}'
)
ENVELOPE = [
    "id",
    "type",
    "schema_version",
    "source",
    "occurred_at",
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
    "payload",
    "producer",
    "producer_seq",
]
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


class GoldenPart(BaseModel):
    b: int
    a: int


class GoldenPlain(
    AuditEvent, type="golden.plain", schema_version=2, outcome="failure", severity="warning"
):
    text: str
    number: int
    real: float
    flag: bool
    nothing: str | None = None
    items: tuple[int, ...]
    part: GoldenPart


class GoldenAny(AuditEvent, type="golden.any"):
    value: Any


class Text(AuditEvent, type="stored.text"):
    text: str


class Real(AuditEvent, type="stored.real"):
    real: float | None = None


def test_a_plain_event_is_stored_as_exactly_these_bytes() -> None:
    event = GoldenPlain(
        id=ID,
        source="billing",
        occurred_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        user_identity="alice",
        session_id="s-1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        project_names=("one", "two"),
        text='Käse "1"',
        number=-7,
        real=0.1,
        flag=True,
        items=(1, 2),
        part=GoldenPart(a=2, b=1),
    )

    assert takes_plain_path(event)
    assert body_of(event, producer_seq=41) == GOLDEN_PLAIN
    assert with_producer(head_by_the_rules(event), "0a" * 16, 41) == GOLDEN_PLAIN


def test_an_event_of_any_value_is_stored_as_exactly_these_bytes() -> None:
    event = GoldenAny(
        id=ID,
        occurred_at=datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        user_identity="\udc80",
        value={
            "when": datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))),
            "password": "hunter2",
            "\ud800": "\x10",
        },
    )

    assert not takes_plain_path(event)
    assert body_of(event) == GOLDEN_ANY


@pytest.mark.parametrize("event", [Text(text="x"), Anything(value={1: 2})])
def test_every_key_is_there_in_order_and_nothing_of_the_ledger_is(event: AuditEvent) -> None:
    said = json.loads(body_of(event))

    assert list(said) == ENVELOPE
    assert said["source"] == "app"
    assert set(said["payload"]) == set(type(event).payload_names)


def test_the_service_names_events_that_name_no_source() -> None:
    encoder = Encoder(REDACTOR, service="billing")

    assert entry_of(Text(text="x"), encoder).source == "billing"
    assert entry_of(Text(text="x", source="billing/worker"), encoder).source == "billing/worker"


def test_payload_fields_are_in_declared_order_whatever_the_call_says() -> None:
    class Ordered(AuditEvent, type="stored.ordered"):
        z: int
        a: Any
        m: int = 0

    assert list(payload_of(Ordered(m=1, a=2, z=3))) == ["z", "a", "m"]


@pytest.mark.parametrize(
    "make", [lambda at: Text(text="", occurred_at=at), lambda at: Anything(occurred_at=at)]
)
@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 1, 31, 12, 0, 0, 0, tzinfo=UTC),
        datetime(2026, 1, 31, 12, 0, 0, 999_999, tzinfo=timezone(-timedelta(hours=11, minutes=1))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1)), fold=1),
    ],
)
def test_the_time_keeps_its_microsecond(
    make: Callable[[datetime], AuditEvent], moment: datetime
) -> None:
    entry = entry_of(make(moment))

    assert entry.occurred_at == to_microseconds(moment)
    assert entry.occurred_time == moment
    assert entry.as_json_object()["occurred_at"] == json.loads(entry.body)["occurred_at"]
    assert len(json.loads(entry.body)["occurred_at"]) == len("2026-01-31T12:00:00.000000Z")


def test_binding_reaches_the_bytes() -> None:
    with bind(identity="alice", correlation_id="req-1"):
        event = Text(text="x")

    entry = entry_of(event)
    assert (entry.user_identity, entry.correlation_id) == ("alice", "req-1")


# -- limits -------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [Text(text="x" * 500), Text(text="\udc80" * 90), Anything(value=["ä"] * 99)]
)
def test_the_size_limit_is_exact(event: AuditEvent) -> None:
    size = len(body_of(event)) - len(b',"producer":"%b","producer_seq":0' % (b"0a" * 16))

    assert Encoder(REDACTOR, bytes_max=size).encode_head(event) == ENCODER.encode_head(event)
    with pytest.raises(InvalidEvent) as caught:
        Encoder(REDACTOR, bytes_max=size - 1).encode_head(event)
    assert f"takes {size:,} bytes, over the limit of {size - 1:,}; store the bulk" in str(
        caught.value
    )
    assert str(caught.value).endswith("or raise event_bytes_max.")


def test_the_default_limit_is_256_kib() -> None:
    assert PAYLOAD_BYTES_MAX == 262_144
    ENCODER.encode_head(Text(text="x" * 261_000))
    with pytest.raises(InvalidEvent, match=r"over the limit of 262,144"):
        ENCODER.encode_head(Text(text="x" * 262_144))


class Number(AuditEvent, type="stored.number"):
    number: int


@pytest.mark.parametrize("make", [Number, lambda number: Anything(value=number)])
def test_integers_of_64_bits_are_exact_and_larger_ones_refused(
    make: Callable[..., AuditEvent],
) -> None:
    for number in (-(2**63), 2**63 - 1, 2**63, 2**64 - 1):
        assert b":%d}" % number in ENCODER.encode_head(make(number=number))
    for number in (-(2**63) - 1, 2**64, 2**70, 10**5000):
        with pytest.raises(
            InvalidEvent, match=r"is an integer beyond 64 bits; store it as text\.$"
        ):
            ENCODER.encode_head(make(number=number))


# -- no NaN ever becomes null -------------------------------------------------


class Reading(BaseModel):
    real: float


class Strict(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)
    real: float | None = None
    reals: list[float] = []


class Wider(Reading):
    extra: Any = None


class Nested(AuditEvent, type="stored.nested"):
    part: Reading | None = None
    parts: list[Strict] = []
    real: float = math.nan
    reals: list[float] = []
    pair: tuple[float, float] | None = None
    admitted: float | None = Field(default=None, allow_inf_nan=True)
    anything: Any = None


def _nested(**fields: Any) -> AuditEvent:
    return Nested(**{"real": 1.0, **fields})


def _later(change: Callable[[Nested], object]) -> AuditEvent:
    event = Nested(real=1.0, part=Reading(real=1.0), parts=[Strict(real=1.0, reals=[1.0])])
    ENCODER.encode_head(event)
    change(event)
    return event


def _set(model: BaseModel | None, value: float) -> object:
    assert model is not None
    model.__setattr__("real", value)
    return model


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda bad: _nested(part=Reading(real=bad)),
        lambda bad: _nested(part=Wider(real=1.0, extra=bad)),
        lambda bad: _nested(parts=[Strict.model_construct(real=bad)]),
        lambda bad: _nested(admitted=bad),
        lambda bad: _nested(anything=bad),
        lambda bad: _nested(anything={"deep": [{"er": (bad,)}]}),
        lambda bad: _nested(anything=Reading(real=bad)),
        lambda bad: _later(lambda event: event.reals.append(bad)),
        lambda bad: _later(lambda event: event.parts[0].reals.append(bad)),
        lambda bad: _later(lambda event: _set(event.parts[0], bad)),
        lambda bad: _later(lambda event: _set(event.part, bad)),
        lambda bad: _later(lambda event: event.__dict__.update(real=bad)),
    ],
)
def test_nan_is_refused_wherever_it_hides(make: Callable[[float], AuditEvent], bad: float) -> None:
    with pytest.raises(InvalidEvent, match=r"is -?(nan|inf), which JSON cannot carry; use None or"):
        ENCODER.encode_head(make(bad))


def test_nan_as_a_default_or_in_a_flat_class_is_refused() -> None:
    class Flat(AuditEvent, type="stored.flat"):
        real: float = math.nan

    class FlatNested(AuditEvent, type="stored.flat_nested"):
        part: Reading

    assert takes_plain_path(Flat(real=1.0))
    assert takes_plain_path(FlatNested(part=Reading(real=1.0)))
    for event in (Flat(), Nested(), FlatNested(part=Reading(real=math.nan))):
        with pytest.raises(InvalidEvent, match="is nan, which JSON cannot carry"):
            ENCODER.encode_head(event)
    assert payload_of(Flat(real=-0.0)) == {"real": 0}


# -- which classes take the fast way ------------------------------------------


class Level(IntEnum):
    LOW = 1


class Selfish(BaseModel):
    inner: "Selfish | None" = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Named(BaseModel):
    api_key: str


@pytest.mark.parametrize(
    ("annotation", "value", "plain"),
    [
        (str | None, None, True),
        (UUID, UUID(ID), True),
        (Literal["a", 1, None], 1, True),
        (list[tuple[int, str]], [(1, "a")], True),
        (Strict, Strict(), False),
        (Reading, Reading(real=1), True),
        (list[Reading], [Reading(real=1)], True),
        (float | int | None, 2, True),
        (list[float], [1.0], False),
        (Any, 1, False),
        (dict[str, int], {"password": 1}, False),
        (Literal[Level.LOW], Level.LOW, False),
        (Level, Level.LOW, False),
        (datetime, datetime(2026, 1, 1, tzinfo=UTC), False),
        (set[int], {1}, False),
        (bytes, b"x", False),
        (Selfish, Selfish(inner=Selfish()), False),
        (Open, Open(a=1), False),
        (Named, Named(api_key="x"), False),
    ],
)
def test_only_what_orjson_writes_as_the_rules_do_is_plain(
    annotation: Any, value: Any, plain: bool
) -> None:
    name = f"stored.judged_{len(registered_types())}"
    event = declare(type=name, fields={"value": annotation})(value=value)

    assert takes_plain_path(event) is plain
    assert head_by_the_rules(event) == ENCODER.encode_head(event)


def test_a_secret_name_takes_a_class_off_the_plain_path() -> None:
    class Login(AuditEvent, type="stored.login"):
        password: str

    assert not takes_plain_path(Login(password="x"))


class Cached(BaseModel):
    model_config = ConfigDict(frozen=True)
    a: int

    @cached_property
    def double(self) -> int:
        return self.a * 2


class Holder(AuditEvent, type="stored.holder"):
    part: Cached
    anything: Any = None


class PlainHolder(AuditEvent, type="stored.plain_holder"):
    part: Cached


def test_a_cached_property_is_not_stored_once_it_has_been_read() -> None:
    for event in (Holder(part=Cached(a=1), anything=Cached(a=1)), PlainHolder(part=Cached(a=1))):
        before = ENCODER.encode_head(event)
        assert event.part.double == 2
        assert ENCODER.encode_head(event) == before


@pytest.mark.parametrize("thing", [None, "text", Reading(real=1.0), {"type": "x.y"}])
def test_what_is_no_event_is_refused(thing: Any) -> None:
    ENCODER.encode_head(Nested(real=1, part=Reading(real=1)))  # judges `Reading`, as a part
    with pytest.raises(InvalidEvent, match=r"is no AuditEvent; declare .* tell an instance of it"):
        ENCODER.encode_head(thing)


def test_a_class_told_instead_of_an_event_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="a class was told instead of an event; build one"):
        ENCODER.encode_head(Text)  # type: ignore[arg-type]


def test_bytes_that_are_no_event_are_no_record() -> None:
    for body in (b"{}", b"junk", b""):
        with pytest.raises((KeyError, ValueError)):
            Record.of(body)
