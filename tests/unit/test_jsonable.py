"""What becomes of values that JSON does not carry: one rule each, or a refusal."""

import re
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from ipaddress import ip_address
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
import uuid_utils
from pydantic import BaseModel, ConfigDict, RootModel, SecretBytes, SecretStr

from minutebook.domain import InvalidEvent
from minutebook.domain.jsonable import NESTING_MAX, jsonable
from tests.unit.stored import ENCODER, MASKED, REDACTOR, Anything, payload_of

UUID_TEXT = "01890a5d-ac96-774b-bcce-b302099a8057"
TWO_HOURS_EAST = timezone(timedelta(hours=2))
Point = namedtuple("Point", ["x", "y"])


class Colour(StrEnum):
    RED = "red"


class Size(str, Enum):  # noqa: UP042 - its str() is not its value
    BIG = "big"


class Level(IntEnum):
    LOW = 1


class Mode(IntFlag):
    READ = 4
    WRITE = 2


class Corner(Enum):
    ORIGIN = (0, 0)


class Text(str):  # noqa: SLOT000
    pass


class Count(int):
    pass


class Ratio(float):
    pass


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Items(RootModel[list[int]]):
    pass


@dataclass(frozen=True)
class Place:
    name: str
    at: tuple[int, int] = (0, 0)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slotted:
    a: int


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({"b", 1, None}, [None, 1, "b"]),
        ({(2, "a"), (1, None)}, [[1, None], [2, "a"]]),
        ({Slotted(2), Slotted(1)}, [{"a": 1}, {"a": 2}]),
        (Point(1, 2), [1, 2]),
        ((1, (2,)), [1, [2]]),
        (deque([1, 2], maxlen=2), [1, 2]),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00.000000Z"),
        (datetime(2026, 1, 1, 1, tzinfo=TWO_HOURS_EAST), "2025-12-31T23:00:00.000000Z"),
        (date(2026, 1, 31), "2026-01-31"),
        (time(1, 2, 3, 4), "01:02:03.000004"),
        (time(1, 2, tzinfo=UTC), "01:02:00+00:00"),
        (timedelta(days=1, seconds=2, microseconds=3), "P1DT2.000003S"),
        (timedelta(0), "PT0S"),
        (-timedelta(seconds=1.5), "-PT1.5S"),
        (timedelta(days=400, hours=5, minutes=6), "P400DT5H6M"),
        (timedelta.min, "-P999999999D"),
        (UUID(UUID_TEXT), UUID_TEXT),
        (uuid_utils.UUID(UUID_TEXT), UUID_TEXT),
        (Decimal("1.10"), "1.10"),
        (Decimal("1E+3"), "1E+3"),
        (PurePosixPath("/a/\udc80"), "/a/\udc80"),
        (PureWindowsPath("C:\\a"), "C:\\a"),
        (Path("a"), "a"),
        (ip_address("127.0.0.1"), "127.0.0.1"),
        (ip_address("::1"), "::1"),
        (b"\x00\xff", "AP8="),
        (bytearray(b"\x00\xff"), "AP8="),
        (memoryview(b"\x00\xff"), "AP8="),
        (Colour.RED, "red"),
        (Size.BIG, "big"),
        (Level.LOW, 1),
        (Mode.READ | Mode.WRITE, 6),
        (Corner.ORIGIN, [0, 0]),
        (Text("t"), "t"),
        (Count(7), 7),
        (Ratio(0.5), 0.5),
        (True, True),
        (None, None),
        (Loose.model_validate({"a": 1, "b": {2}}), {"a": 1, "b": [2]}),
        (Items([1, 2]), {"root": [1, 2]}),
        (Place("x", notes=["n"]), {"name": "x", "at": [0, 0], "notes": ["n"]}),
        (Slotted(1), {"a": 1}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (MappingProxyType({"a": {1}}), {"a": [1]}),
        ({1: 1, 2.5: 2, False: 3, None: 4}, {"1": 1, "2.5": 2, "false": 3, "null": 4}),
        ({UUID(UUID_TEXT): 1, Colour.RED: 2, Size.BIG: 3}, {UUID_TEXT: 1, "red": 2, "big": 3}),
        ({Text("k"): 1, date(2026, 1, 31): 2, b"\xff": 3}, {"k": 1, "2026-01-31": 2, "/w==": 3}),
        ({"\ud800": "\udc80"}, {"\ud800": "\udc80"}),
        ("\x10", "\x10"),
    ],
)
def test_each_kind_of_value_has_its_rule(value: Any, stored: Any) -> None:
    payload = payload_of(Anything(value=value))

    assert payload == {"value": stored}
    assert type(payload["value"]) is type(stored)


def test_equal_sets_give_equal_bytes() -> None:
    one, other = set(range(0, 4000, 8)), set()
    for number in reversed(range(0, 4000, 8)):
        other.add(number)

    assert payload_of(Anything(value=one | {"a"})) == payload_of(Anything(value={"a"} | other))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "value is a builtins.object, for which there is no rule; store text"),
        (1j, "value is a builtins.complex"),
        (int, "value is a builtins.type"),
        (len, "value is a builtins.builtin_function_or_method"),
        (Place, "value is a builtins.type"),
        ((number for number in [1]), "value is a builtins.generator"),
        ([0, {"a": {1j}}], "value[1].a{} is a builtins.complex"),
        (datetime(2026, 1, 1), "value is a naive datetime; give it a time zone"),  # noqa: DTZ001
        ({"at": datetime.min.replace(tzinfo=TWO_HOURS_EAST)}, "value.at lies outside the years"),
        (Decimal("NaN"), "value is NaN, which is no number; use None or text"),
        (Decimal("Infinity"), "value is Infinity"),
        (Ratio("nan"), "value is nan, which JSON cannot carry"),
        (2**64, "value is an integer beyond 64 bits; store it as text"),
        ([Count(-(2**63) - 1)], "value[0] is an integer beyond 64 bits"),
        ({"1": "a", 1: "b"}, "value has two keys that both read '1'; make them differ"),
        ({None: 1, "null": 2}, "value has two keys that both read 'null'"),
        ({(1, 2): 1}, "value has a tuple as a key, which has no text; use a string"),
        ({frozenset({"hunter2"}): 1}, "value has a frozenset as a key, which has no text"),
        ({2**64: 1}, "a key of value is an integer beyond 64 bits"),
        ({float("nan"): 1}, "a key of value is nan"),
    ],
)
def test_what_has_no_rule_is_refused_by_its_place_and_without_its_value(
    value: Any, words: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        ENCODER.encode_head(Anything(value=value))

    message = str(caught.value)
    assert message.startswith("Anything (unit.anything) cannot be stored: " + words)
    assert message.endswith(".")
    assert "hunter2" not in message


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_nesting_is_bounded() -> None:
    assert payload_of(Anything(value=_deep(NESTING_MAX))) == {"value": _deep(NESTING_MAX)}
    with pytest.raises(InvalidEvent, match=r"nests deeper than 64 levels; flatten it\.$"):
        ENCODER.encode_head(Anything(value=_deep(NESTING_MAX + 1)))


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append({"again": endless})
    secret: dict[str, Any] = {}
    secret["password"] = [secret]
    for value in (endless, secret):
        with pytest.raises(InvalidEvent, match="nests deeper than 64 levels"):
            ENCODER.encode_head(Anything(value=value))


def test_secrets_are_masked_in_every_container() -> None:
    values = [
        SecretStr("hunter2"),
        [SecretBytes(b"hunter2")],
        {"a": (SecretStr("hunter2"),)},
        {SecretStr("hunter2"): 1},
        Loose.model_validate({"a": 1, "b": SecretStr("hunter2")}),
    ]
    for value in values:
        text = str(jsonable(value, "x", REDACTOR))
        assert re.search(MASKED, text)
        assert "hunter2" not in text
