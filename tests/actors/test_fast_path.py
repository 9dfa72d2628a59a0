"""Where orjson alone writes an event: what it must not be trusted with goes by the rules."""

from collections.abc import Callable, Iterator
from functools import cached_property
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, field_validator

from minutebook.actors import AuditSystem, LedgerReader
from minutebook.domain import AuditEvent, InvalidEvent


class Line(BaseModel):
    sku: str

    @cached_property
    def shelf(self) -> str:
        return "behind the counter"


class Deep(BaseModel):
    sku: str


class Packed(AuditEvent, type="fast.packed"):
    lines: list[Line]


class Nested(AuditEvent, type="fast.nested"):
    deep: list[Deep]


class Weighed(AuditEvent, type="fast.weighed"):
    kilos: float
    tare: float | None = None


class BadDefault(AuditEvent, type="fast.bad_default"):
    kilos: float = nan


class Validated(AuditEvent, type="fast.validated"):
    kilos: float

    @field_validator("kilos")
    @classmethod
    def _spoil(cls, kilos: float) -> float:
        return nan


class Completed(AuditEvent, type="fast.completed"):
    kilos: float = 0.0

    def model_post_init(self, context: Any, /) -> None:
        object.__setattr__(self, "kilos", inf)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fast") / "audit.db"


@pytest.fixture(scope="module")
def system(ledger: Path) -> Iterator[AuditSystem]:
    with AuditSystem.open(ledger) as system:
        yield system


@pytest.fixture(scope="module")
def told(system: AuditSystem, ledger: Path) -> Iterator[Callable[[AuditEvent], Any]]:
    """Tell an event, and return its payload as it is stored."""
    with LedgerReader(ledger) as reader:

        def tell(event: AuditEvent) -> Any:
            system.audit.tell(event)
            system.flush()
            return reader.get(event.id).payload

        yield tell


def test_a_subclass_that_is_declared_later_is_masked(
    told: Callable[[AuditEvent], Any],
) -> None:
    """The class was judged before there was one that hides a secret behind its name."""
    assert told(Nested(deep=[Deep(sku="a")])) == {"deep": [{"sku": "a"}]}

    class Deeper(Deep):
        password: str

    for _ in range(2):
        secretive = Nested(deep=[Deep(sku="a"), Deeper(sku="b", password="hunter2")])
        payload = told(secretive)
        assert payload["deep"][1]["sku"] == "b"
        assert "hunter2" not in str(payload)
    assert told(Nested(deep=[Deep(sku="a")])) == {"deep": [{"sku": "a"}]}


def test_a_cached_property_of_a_part_is_not_stored(told: Callable[[AuditEvent], Any]) -> None:
    line = Line(sku="a")
    assert line.shelf
    assert told(Packed(lines=[line])) == {"lines": [{"sku": "a"}]}


def test_what_was_put_into_a_list_afterwards_is_not_trusted(system: AuditSystem) -> None:
    class Holder:
        def __init__(self) -> None:
            self.token = SecretStr("hunter2")

    event = Nested(deep=[Deep(sku="a")])
    event.deep.append(Holder())  # type: ignore[arg-type]
    with pytest.raises(InvalidEvent):
        system.audit.tell(event)


@pytest.mark.parametrize(
    "build",
    [
        BadDefault,
        lambda: Validated(kilos=1.0),
        Completed,
        lambda: vars(AuditEvent)["copy"](Weighed(kilos=1.0), update={"kilos": nan}),
    ],
    ids=["default", "validator", "post_init", "copy"],
)
def test_nan_is_never_stored_as_null(system: AuditSystem, build: Callable[[], AuditEvent]) -> None:
    """However it came into the event: its building does not look at all of these."""
    with pytest.raises(InvalidEvent):
        system.audit.tell(build())


def test_a_finite_number_is_stored(told: Callable[[AuditEvent], Any]) -> None:
    assert told(Weighed(kilos=1.5)) == {"kilos": 1.5, "tare": None}
