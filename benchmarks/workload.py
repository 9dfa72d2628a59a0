"""The work that is the same for everybody: one audit event, built and validated.

It has the envelope of every event (identity, correlation, time, outcome) and a payload with a
list and nested fields: about 550 bytes of JSON. Every peer builds this very event, so that what
differs between them is what they do with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from minutebook.domain import AuditEvent, bind
from minutebook.domain.envelope import new_id

EVENT_TYPE = "benchmark.order_shipped"
"""The type of the event; peers store it beside the JSON."""


class Line(BaseModel):
    """A nested part."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    sku: str
    quantity: int


class OrderShipped(AuditEvent, type=EVENT_TYPE):
    """The event."""

    order_id: str
    carrier: str
    tags: list[str]
    lines: list[Line]
    note: str | None = None
    weight: float = 0.0


class Plain(BaseModel):
    """The same fields without what makes an event of them: the floor for building one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    id: str = Field(default_factory=new_id)
    source: str | None = None
    occurred_at: AwareDatetime = Field(default_factory=partial(datetime.now, UTC))
    user_identity: str | None = None
    on_behalf_of: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    plan_id: str | None = None
    project_names: tuple[str, ...] = ()
    outcome: Literal["success", "failure", "denied", "unknown"] = "success"
    outcome_reason: str | None = None
    severity: Literal["debug", "info", "warning", "error", "critical"] = "info"
    order_id: str
    carrier: str
    tags: list[str]
    lines: list[Line]
    note: str | None = None
    weight: float = 0.0


LINES = [Line(sku="A-1", quantity=2), Line(sku="B-2", quantity=1)]


def build() -> OrderShipped:
    """Build the event."""
    return OrderShipped(
        order_id="A-17", carrier="dhl", tags=["fragile", "express"], lines=LINES, weight=2.5
    )


def build_plain() -> Plain:
    """Build the plain model."""
    return Plain(
        order_id="A-17", carrier="dhl", tags=["fragile", "express"], lines=LINES, weight=2.5
    )


@contextmanager
def bound() -> Iterator[None]:
    """Bind who acts, as a host does at its edge."""
    with bind(identity="alice@example.com", session_id="s-1", correlation_id="req-1"):
        yield


def to_json(event: OrderShipped) -> bytes:
    """Serialise the event in the cheapest way that there is, the same for all peers."""
    return orjson.dumps(event.__dict__, part, orjson.OPT_UTC_Z)


def part(value: Any) -> dict[str, Any]:
    """Say what orjson is to write for a nested model."""
    if isinstance(value, BaseModel):
        return value.__dict__
    msg = f"{type(value).__name__} has no rule"
    raise TypeError(msg)


Row = tuple[str, str, str, str | None, str]
"""What a SQL table of the peers holds."""


def to_row(event: OrderShipped) -> Row:
    """Return id, type, time, identity and JSON, for `peers.sqlite_file.CREATE`."""
    return (
        event.id,
        EVENT_TYPE,
        event.occurred_at.isoformat(),
        event.user_identity,
        to_json(event).decode(),
    )
