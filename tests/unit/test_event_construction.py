"""Building events: what is refused, and that the message neither hides nor tells too much."""

import copy
import math
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest
import uuid_utils
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from minutebook.domain import AuditEvent, EventDefinitionError, InvalidEvent
from minutebook.domain.encoding import Encoder
from minutebook.domain.event import complete_types
from tests.unit.stored import declare, entry_of, payload_of

SECRET = "hunter2-do-not-show-me"
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001


class Part(BaseModel):
    count: int


def _in_two(value: str) -> str:
    if " " not in value:
        msg = "has no blank"
        raise ValueError(msg)
    return value


class Order(AuditEvent, type="construction.ordered"):
    order_id: str
    lines: int = 1
    price: float = 1.0
    kind: Literal["a", "b"] = "a"
    parts: tuple[Part, ...] = ()
    words: Annotated[str, AfterValidator(_in_two)] = "two words"
    key: SecretStr | None = None
    from_place: str = Field(default="here", alias="from")


def build(**fields: Any) -> Order:
    return Order(**{"order_id": "A-1", **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"colour": SECRET}, "has no field 'colour'"),
        ({"lines": SECRET}, "lines: Input should be a valid integer"),
        ({"order_id": 17}, "order_id: Input should be a valid string"),
        ({"kind": SECRET}, "kind: Input should be 'a' or 'b'"),
        ({"parts": [{"count": SECRET}]}, "parts.0.count: Input should be a valid integer"),
        ({"parts": [{}]}, "needs the field 'parts.0.count'"),
        ({"words": SECRET}, "words: has no blank"),
        ({"price": math.nan}, "price: Input should be a finite number"),
        ({"price": math.inf}, "price: Input should be a finite number"),
        ({"price": -math.inf}, "price: Input should be a finite number"),
        ({"price": "NaN"}, "price: Input should be a finite number"),
        ({"key": 17}, "key: Input should be a valid string"),
        ({"occurred_at": NAIVE}, "occurred_at has no time zone: use datetime.now(UTC)"),
        ({"occurred_at": SECRET}, "occurred_at: Input should be a valid datetime"),
        ({"id": SECRET}, "id: a UUID is 32 hex digits"),
        ({"id": "z" * 32}, "id: a UUID is 32 hex digits"),
        ({"id": "1_345678123456781234567812345678"}, "id: a UUID is 32 hex digits"),
        ({"id": b"not a uuid"}, "id: a UUID is 32 hex digits"),
        ({"id": "\ud800" * 32}, "id: a UUID is 32 hex digits"),
        ({"id": None}, "id: Input should be a valid string"),
        ({"user_identity": ""}, "user_identity: is empty; leave it out instead"),
        ({"on_behalf_of": ""}, "on_behalf_of: is empty"),
        ({"session_id": ""}, "session_id: is empty"),
        ({"correlation_id": ""}, "correlation_id: is empty"),
        ({"causation_id": ""}, "causation_id: is empty"),
        ({"plan_id": ""}, "plan_id: is empty"),
        ({"source": ""}, "source: is empty"),
        ({"user_identity": 7}, "user_identity: Input should be a valid string"),
        ({"traceparent": SECRET}, "traceparent: a traceparent is 00-<32 hex digits>"),
        ({"traceparent": f"00-{'0' * 32}-{'1' * 16}-01"}, "traceparent: "),
        ({"traceparent": f"00-{'1' * 32}-{'0' * 16}-01"}, "traceparent: "),
        ({"traceparent": f"00-{'A' * 32}-{'1' * 16}-01"}, "traceparent: "),
        ({"traceparent": f"01-{'1' * 32}-{'1' * 16}-01"}, "traceparent: "),
        ({"outcome": SECRET}, "outcome: Input should be 'success', 'failure', 'denied'"),
        ({"severity": "fatal"}, "severity: Input should be 'debug', 'info'"),
        ({"project_names": "one"}, "project_names: Input should be a valid tuple"),
    ],
)
def test_a_wrong_field_is_named_with_what_to_do_and_without_its_value(
    fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        build(**fields)

    message = str(caught.value)
    assert message.startswith("Order (construction.ordered) cannot be built: ")
    assert words in message
    assert message.endswith("Correct the call; nothing was recorded.")
    chain = f"{message} {caught.value!r} {caught.value.__cause__}"
    for value in fields.values():
        if isinstance(value, str) and len(value) > 10:
            assert value not in chain
    assert SECRET not in chain


def test_a_missing_field_and_several_problems_are_told_at_once() -> None:
    wrong: dict[str, Any] = {"lines": "x", "colour": 1}
    with pytest.raises(InvalidEvent) as caught:
        Order(**wrong)

    message = str(caught.value)
    assert "needs the field 'order_id'" in message
    assert "lines: Input should be a valid integer" in message
    assert "has no field 'colour'" in message
    assert "Its own fields are: order_id, lines, price, kind, parts, words, key" in message


def test_a_time_that_utc_cannot_express_is_refused() -> None:
    for moment in (
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
    ):
        with pytest.raises(InvalidEvent, match="lies outside the years 1 to 9999 in UTC"):
            build(occurred_at=moment)


def test_positional_arguments_are_refused() -> None:
    with pytest.raises(TypeError):
        Order("A-1")  # type: ignore[call-arg]


def test_an_event_is_frozen() -> None:
    event = build()
    with pytest.raises(ValueError, match="frozen"):
        event.lines = 2
    with pytest.raises(ValueError, match="frozen"):
        event.user_identity = "mallory"
    with pytest.raises(ValueError, match="frozen"):
        del event.order_id
    assert event.lines == 1


def test_ids_are_new_sorted_by_time_and_of_version_7() -> None:
    ids = [build().id for _ in range(100)]

    assert ids == sorted(set(ids))
    assert {UUID(text).version for text in ids} == {7}


@pytest.mark.parametrize(
    "given",
    [
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "01890a5dac96774bbcceb302099a8057",
        UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
        uuid_utils.UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    ],
)
def test_an_id_of_any_kind_is_canonical_text(given: Any) -> None:
    assert build(id=given).id == "01890a5d-ac96-774b-bcce-b302099a8057"


def test_the_time_is_now_in_utc_unless_given() -> None:
    before = datetime.now(UTC)
    event = build()

    assert before <= event.occurred_at <= datetime.now(UTC)
    assert event.occurred_at.tzinfo is UTC


def test_a_time_of_another_zone_is_the_same_moment_in_utc() -> None:
    there = datetime(2026, 7, 1, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    event = build(occurred_at=there)

    assert event.occurred_at == there
    assert event.occurred_at.isoformat() == "2026-06-30T19:17:03.456789+00:00"
    assert event.occurred_at.tzinfo is UTC


def test_an_event_survives_pickling_and_copying(encoder: Encoder) -> None:
    event = build(parts=(Part(count=3),), user_identity="alice", **{"from": "there"})

    for twin in (pickle.loads(pickle.dumps(event)), copy.copy(event), copy.deepcopy(event)):
        assert twin == event
        assert twin is not event
        assert encoder.encode_head(twin) == encoder.encode_head(event)
    assert event.model_copy() == event
    assert event.model_copy(deep=True) == event


def test_a_copy_with_changes_is_checked_like_any_event() -> None:
    event = build(user_identity="alice", **{"from": "there"})
    other = str(uuid4())
    copied = event.model_copy(update={"lines": 2, "id": other, "from_place": "elsewhere"})

    assert (copied.lines, copied.id, copied.from_place) == (2, other, "elsewhere")
    assert (copied.user_identity, copied.occurred_at) == ("alice", event.occurred_at)
    assert event.lines == 1
    assert payload_of(copied)["from_place"] == "elsewhere"
    for update in (
        {"price": math.nan},
        {"occurred_at": NAIVE},
        {"id": "x"},
        {"colour": "red"},
    ):
        with pytest.raises(InvalidEvent):
            event.model_copy(update=update)


def test_no_back_door_builds_an_unchecked_event() -> None:
    assert Order.model_construct(order_id="A").lines == 1
    with pytest.raises(InvalidEvent, match="needs the field 'order_id'"):
        Order.model_construct()


def test_envelope_fields_are_stored_as_given() -> None:
    trace = f"00-{'1a' * 16}-{'2b' * 8}-01"
    event = build(
        source="billing",
        user_identity="alice",
        on_behalf_of="bob",
        session_id="s",
        correlation_id="c",
        causation_id="b",
        traceparent=trace,
        plan_id="p",
        project_names=["one", "two"],
        outcome="denied",
        outcome_reason="because",
        severity="critical",
    )
    entry = entry_of(event)

    assert entry.source == "billing"
    assert (entry.user_identity, entry.on_behalf_of) == ("alice", "bob")
    assert (entry.session_id, entry.correlation_id, entry.causation_id) == ("s", "c", "b")
    assert (entry.traceparent, entry.plan_id) == (trace, "p")
    assert entry.project_names == '["one","two"]'
    assert (entry.outcome, entry.outcome_reason, entry.severity) == (
        "denied",
        "because",
        "critical",
    )


def test_the_classes_of_the_host_are_built_when_a_system_is_opened() -> None:
    """The first event of a type costs its caller no more than the second."""
    late = declare(AuditEvent, fields={"n": int}, name="Late", type="unit.built_at_open")
    odd = declare(AuditEvent, fields={"n": object()}, name="Odd", type="unit.never_built")
    assert not late.__pydantic_complete__
    complete_types()
    assert late.__pydantic_complete__
    with pytest.raises(EventDefinitionError, match="declared wrongly"):
        odd(n=1)
