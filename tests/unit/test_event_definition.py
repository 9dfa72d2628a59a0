"""Declaring event classes: the registry, and every way to get a declaration wrong."""

import re
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from minutebook.domain import AuditEvent, EventDefinitionError
from minutebook.domain import event as event_module
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import InvalidEvent
from minutebook.domain.event import ENVELOPE_FIELDS, registered_types
from tests.unit.stored import declare, payload_of

LEDGER_NAMES = [
    "type",
    "schema_version",
    "producer",
    "producer_seq",
    "recorded_at",
    "log_index",
    "hash_version",
    "leaf_hash",
    "payload",
    "payload_names",
    "body",
]


class Parcel(AuditEvent, type="definition.parcel_sent", schema_version=3):
    order_id: str
    lines: int = 1


class Refusal(AuditEvent, abstract=True, outcome="denied", severity="warning"):
    """A base: its fields and defaults are those of what derives from it."""

    reason: str


class DoorRefused(Refusal, type="definition.door_refused"):
    door: int


class WindowRefused(Refusal, type="definition.window_refused", outcome="failure"):
    pass


class ParcelInsured(Parcel, type="definition.parcel_insured"):
    value: int


def test_a_class_is_registered_under_its_type() -> None:
    assert registered_types()["definition.parcel_sent"] is Parcel
    assert (Parcel.type, Parcel.schema_version) == ("definition.parcel_sent", 3)
    assert Parcel.payload_names == ("order_id", "lines")


def test_the_registry_cannot_be_written_through_the_public_view() -> None:
    with pytest.raises(TypeError):
        registered_types()["x.y"] = Parcel  # type: ignore[index]


def test_an_abstract_base_hands_down_fields_and_defaults(encoder: Encoder) -> None:
    refused = DoorRefused(reason="closed", door=7)

    assert (refused.outcome, refused.severity) == ("denied", "warning")
    assert payload_of(refused, encoder) == {"reason": "closed", "door": 7}
    assert WindowRefused(reason="x").outcome == "failure"
    assert WindowRefused(reason="x").severity == "warning"


def test_defaults_of_a_class_stay_its_own() -> None:
    assert AuditEvent().outcome == "success"
    assert Parcel(order_id="A").severity == "info"


def test_an_abstract_class_cannot_be_told(encoder: Encoder) -> None:
    assert Refusal not in registered_types().values()
    for event in (Refusal(reason="x"), AuditEvent()):
        with pytest.raises(InvalidEvent, match=r"is abstract .*; tell a subclass of it\.$"):
            encoder.encode_head(event)


def test_a_class_may_derive_from_a_concrete_one_under_a_type_of_its_own() -> None:
    assert ParcelInsured.payload_names == ("order_id", "lines", "value")
    assert ParcelInsured.schema_version == 1
    assert Parcel.payload_names == ("order_id", "lines")
    assert registered_types()["definition.parcel_sent"] is Parcel


def refused(match: str, *bases: type, **declaration: Any) -> None:
    before = dict(registered_types())
    with pytest.raises(EventDefinitionError, match=match) as caught:
        declare(*bases, **declaration)
    assert str(caught.value).endswith(".")
    assert dict(registered_types()) == before


def test_a_concrete_class_hands_down_no_type() -> None:
    refused("names no event type; write", Parcel)
    refused("is abstract and inherits the event type", Parcel, abstract=True)


def test_a_second_class_for_a_type_is_refused() -> None:
    refused(
        r'"definition.parcel_sent" has a class already: .*\.Parcel; give Second another type,'
        r" or tell that class",
        name="Second",
        type="definition.parcel_sent",
    )
    # Nor does the same name make it the same class, unless in an interactive session.
    body = {"__module__": __name__}
    refused("has a class already", name="Parcel", type="definition.parcel_sent", body=body)


def test_a_notebook_cell_may_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.ps1", ">>> ", raising=False)
    monkeypatch.setattr(event_module, "_registry", {})
    main = {"__module__": "__main__"}
    declare(name="Cell", type="cell.run", body=main)
    again = declare(name="Cell", type="cell.run", body=main)

    assert registered_types()["cell.run"] is again
    with pytest.raises(EventDefinitionError, match="has a class already"):
        declare(name="Other", type="cell.run", body=main)


@pytest.mark.parametrize("name", [*ENVELOPE_FIELDS, *LEDGER_NAMES])
def test_an_envelope_or_ledger_name_is_refused(name: str) -> None:
    words = f"declares {name}, which the envelope .*; rename the payload field, or give the value"
    refused(words, type="definition.reused", fields={name: str})
    refused(words, type="definition.reused", body={name: "without an annotation"})
    refused(words, type="definition.reused", body={name: lambda _: "a method"})


def test_a_mix_in_cannot_smuggle_an_envelope_name_in() -> None:
    class Plain:
        outcome: int = 3

    class Model(BaseModel):
        session_id: int = 3

    class Innocent:
        def text(self) -> str:
            return "fine"

    refused("declares outcome", Plain, AuditEvent, type="definition.mixed")
    refused("declares session_id", Model, AuditEvent, type="definition.mixed")
    refused("declares outcome", AuditEvent, Plain, abstract=True)
    assert declare(Innocent, AuditEvent, type="definition.innocent")().text() == "fine"


@pytest.mark.parametrize(
    "name",
    [
        *("", "shipped", "Order.shipped", "order.Shipped", "order.", ".shipped", "order..shipped"),
        *("1order.shipped", "order.2", "ordér.shipped", "order.shipped\n", "order-x.shipped"),
        *("order shipped.x", "order/shipped"),
    ],
)
def test_a_type_is_lower_case_words_joined_by_dots(name: str) -> None:
    refused(f"{re.escape(repr(name))} is no event type; use lower-case words", type=name)


def test_a_type_is_text_and_given() -> None:
    refused(r'names no event type; write class Declared\(AuditEvent, type="dotted.past_tense"\)')
    refused("7 is no event type", type=7)
    refused("is no event type", type=["a.b"])


@pytest.mark.parametrize("name", ["a.b", "order.shipped_2", "a_1.b2.c_3"])
def test_a_good_type_is_taken(name: str) -> None:
    assert declare(type=f"definition.{name}").type == f"definition.{name}"


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None])
def test_a_schema_version_counts_from_one(version: object) -> None:
    refused("schema_version is .*; count it from 1", type="definition.bad", schema_version=version)


@pytest.mark.parametrize("abstract", [True, False])
@pytest.mark.parametrize("keyword", ["outcome", "severity"])
@pytest.mark.parametrize("value", ["fine", "", 3, ["success"]])
def test_outcome_and_severity_are_of_the_known_ones(
    keyword: str, value: object, abstract: bool
) -> None:
    named = {} if abstract else {"type": "definition.bad"}
    refused("is unknown; use one of", **named, **{keyword: value}, abstract=abstract)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frozen", False),
        ("extra", "allow"),
        ("extra", "ignore"),
        ("allow_inf_nan", True),
        ("hide_input_in_errors", False),
        ("defer_build", False),
    ],
)
@pytest.mark.parametrize("abstract", [True, False])
def test_the_model_config_cannot_be_loosened(name: str, value: object, abstract: bool) -> None:
    named = {} if abstract else {"type": "definition.loose"}
    body = {"model_config": {name: value}}
    refused(f"changes {name} of .*; drop that from its own", body=body, abstract=abstract, **named)


def test_what_the_bytes_do_not_rely_on_may_be_configured() -> None:
    class Stripped(AuditEvent, type="definition.stripped"):
        model_config = ConfigDict(str_strip_whitespace=True)
        text: str

    assert Stripped(text=" a ").text == "a"


def test_a_field_type_that_pydantic_cannot_handle_is_a_wrong_definition() -> None:
    class Unknown:
        pass

    cls = declare(type="definition.unbuildable", fields={"value": Unknown})
    with pytest.raises(
        EventDefinitionError, match=r"is declared wrongly: .* Correct its fields\.$"
    ):
        cls(value=Unknown())
