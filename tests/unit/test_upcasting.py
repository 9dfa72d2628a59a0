"""Reading old rows as objects of today's classes: upcasters, and all that can be wrong there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from minutebook.domain import AuditEvent, Entry, EventDefinitionError, bind, upcaster
from minutebook.domain.entry import Record
from minutebook.domain.errors import UnreadableEvent
from tests.unit.stored import body_of, entry_of, payload_of


class Weighed(AuditEvent, type="upcasting.weighed", schema_version=3):
    order: str
    weight_g: int
    scales: str = "unknown"


@upcaster(Weighed, 1)
def weigh_in_kilograms(payload: dict[str, Any]) -> dict[str, Any]:
    return {"order": payload["number"], "weight_kg": payload["weight_lb"] * 0.5}


@upcaster(Weighed, 2)
def weigh_in_grams(payload: dict[str, Any]) -> dict[str, Any]:
    payload["weight_g"] = round(payload.pop("weight_kg") * 1000)
    return payload


class Size(StrEnum):
    SMALL = "small"


class Part(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    path: PurePosixPath


class Varied(AuditEvent, type="upcasting.varied"):
    text: str
    data: bytes
    when: datetime
    day: date
    span: timedelta
    price: Decimal
    size: Size
    uid: UUID
    tags: frozenset[str]
    parts: tuple[Part, ...]
    names: dict[str, list[str]]
    renamed: int = Field(alias="called", strict=True)
    anything: Any = None


VARIED: dict[str, Any] = {
    "text": "caf\udce9 \x10 \U0001f600",
    "data": b"\x00\xff\x10",
    "when": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    "day": date(2026, 1, 2),
    "span": timedelta(days=3, microseconds=1),
    "price": Decimal("1.10"),
    "size": Size.SMALL,
    "uid": UUID(int=7),
    "tags": frozenset({"a", "\udcff"}),
    "parts": (Part(name="\udce9", path=PurePosixPath("/tmp/\udce9")),),
    "names": {"\udce9": ["\udcff"]},
    "called": 2**64 - 1,
    "anything": {"k": ["\udce9", None, 1.5]},
}


def old(cls: type[AuditEvent], payload: Any, version: int = 1, **envelope: Any) -> Entry:
    """A row as code of another version wrote it."""
    # Not by the class: its own version has other fields.
    filler = entry_of(Filler(**envelope))
    said = orjson.loads(filler.body)
    said |= {"type": cls.type, "schema_version": version, "payload": payload}
    return Record.of(orjson.dumps(said)).row(5, 7)


class Filler(AuditEvent, type="upcasting.filler"):
    pass


def test_an_old_row_is_brought_to_todays_class_step_by_step() -> None:
    entry = old(
        Weighed, {"number": "o-1", "weight_lb": 3}, user_identity="alice", outcome="unknown"
    )
    before = (*entry,)
    with bind(identity="mallory", session_id="s", correlation_id="c"):
        event = entry.event()
    assert isinstance(event, Weighed)
    assert (event.order, event.weight_g, event.scales) == ("o-1", 1500, "unknown")
    # The envelope is the row's, and nothing of it is filled from where it is read.
    assert (event.id, event.occurred_at) == (entry.id, entry.occurred_time)
    assert (event.user_identity, event.session_id, event.correlation_id) == ("alice", None, None)
    assert (event.outcome, event.source) == ("unknown", "app")
    # What is stored stays as it is, and reads as it did.
    assert (*entry,) == before
    assert entry.payload == {"number": "o-1", "weight_lb": 3}
    second = old(Weighed, {"order": "o-2", "weight_kg": 2}, 2).event()
    assert isinstance(second, Weighed)
    assert second.weight_g == 2000


def test_a_row_of_today_gives_the_event_that_was_told() -> None:
    for values in (VARIED, VARIED | {"text": "plain", "parts": (), "tags": frozenset()}):
        told = Varied(**values, project_names=("p\udce9",), outcome_reason="\udce9")
        read = entry_of(told).event()
        assert read == told.model_copy(update={"source": "app"})
        assert body_of(read) == body_of(told)


def test_a_secret_stays_masked() -> None:
    class Locked(AuditEvent, type="upcasting.locked"):
        pin: SecretStr

    told = Locked(pin=SecretStr("1234"))
    read = entry_of(told).event()
    assert isinstance(read, Locked)
    assert read.pin.get_secret_value() == payload_of(told)["pin"]


def unreadable(entry: Entry, match: str) -> None:
    """It is one clear error, which names the event, and the payload is there."""
    with pytest.raises(UnreadableEvent, match=match) as caught:
        entry.event()
    assert str(caught.value).startswith(f"event {entry.id} ({entry.type}, version ")
    assert str(caught.value).endswith("its `payload` is there as it was stored.")
    assert entry.payload == orjson.loads(entry.body)["payload"]


def test_what_no_class_fits_says_why_and_stays_readable_as_stored() -> None:
    class Stepped(AuditEvent, type="upcasting.stepped", schema_version=4):
        number: int

    @upcaster(Stepped, 1)
    def fails(payload: dict[str, Any]) -> dict[str, Any]:
        return {"number": payload["missing"]}

    @upcaster(Stepped, 2)
    def forgets(payload: dict[str, Any]) -> Any:
        payload["number"] = 1

    unreadable(old(Stepped, {"a": 1}, 1), r"fails from version 1 failed \(KeyError: 'missing'\)")
    unreadable(old(Stepped, {"a": 1}, 2), "forgets from version 2 returned NoneType")
    unreadable(old(Stepped, {"a": 1}, 3), "no upcaster from version 3: register one")
    unreadable(old(Stepped, {"a": 1}, 4), "Stepped has no field 'a': raise the schema_version")
    unreadable(old(Stepped, {"id": 1, "number": 1}, 4), "Stepped has no field 'id'")
    unreadable(old(Stepped, {"number": "x"}, 4), r"does not fit Stepped \(number: Input should be")
    unreadable(old(Stepped, {}, 4), r"does not fit Stepped \(number: Field required\)")
    unreadable(old(Stepped, {"number": 1}, 5), "Stepped has version 4 only: update the code")


def test_an_unknown_type_is_shown_as_stored() -> None:
    said = orjson.loads(body_of(Filler())) | {"type": "of_another.program", "payload": {"a": 1}}
    unreadable(
        Record.of(orjson.dumps(said)).row(0, 0), "no class has its type here: import the module"
    )


def test_wrong_registrations_are_refused_where_they_are_made() -> None:
    class Base(AuditEvent, abstract=True):
        pass

    class Derived(Weighed, type="upcasting.derived"):
        pass

    refused: list[tuple[type[AuditEvent], Any, str]] = [
        (Weighed, 3, "nothing to upcast from version 3"),
        (Weighed, 0, "nothing to upcast from version 0"),
        (Weighed, True, "nothing to upcast from version True"),
        (Filler, 1, "nothing to upcast from version 1"),
        (Base, 1, "nothing to upcast from version 1"),
        # What is derived is another type, with versions of its own.
        (Derived, 1, "nothing to upcast from version 1"),
        (Weighed, 1, r"has an upcaster from version 1 already: .*weigh_in_kilograms"),
    ]
    for cls, version, problem in refused:
        with pytest.raises(EventDefinitionError, match=problem):
            upcaster(cls, version)
