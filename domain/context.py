"""Who acts, for whom, and in which request: the binding that every event captures.

A host binds identity once, at the edge (`with bind(identity="alice"): ...`). Events
built inside carry it without being told, and a command sent to an actor takes the
binding along, so that the events told while it is handled carry the caller's identity
and not the actor thread's.

Each bound field is a `contextvars.ContextVar` of its own because ``ContextVar.get`` is a
C function that pydantic can call as a default factory: filling seven envelope fields
from the binding costs 3 % of building an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Final, Literal, NamedTuple

from minutebook.domain.errors import InvalidBinding

user_identity_var: Final[ContextVar[str | None]] = ContextVar("user_identity", default=None)
on_behalf_of_var: Final[ContextVar[str | None]] = ContextVar("on_behalf_of", default=None)
session_id_var: Final[ContextVar[str | None]] = ContextVar("session_id", default=None)
correlation_id_var: Final[ContextVar[str | None]] = ContextVar("correlation_id", default=None)
causation_id_var: Final[ContextVar[str | None]] = ContextVar("causation_id", default=None)
traceparent_var: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)
plan_id_var: Final[ContextVar[str | None]] = ContextVar("plan_id", default=None)
source_var: Final[ContextVar[str | None]] = ContextVar("source", default=None)
"""Which actor of which service is speaking; set by the service actors, not by hosts."""

# W3C Trace Context, version 00: version-trace-parent-flags; all-zero ids are invalid.
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


class _Keep(Enum):
    KEEP = "keep what is bound already"


_KEEP: Final = _Keep.KEEP
_Bindable = str | Literal[_Keep.KEEP] | None


class Binding(NamedTuple):
    """A snapshot of what is bound, to carry to another actor, thread or process."""

    user_identity: str | None = None
    """Who acts."""
    on_behalf_of: str | None = None
    """For whom, when an agent acts for a person."""
    session_id: str | None = None
    """The session in which it happens."""
    correlation_id: str | None = None
    """What one request of the host has in common."""
    causation_id: str | None = None
    """Id of the event that led to this one."""
    traceparent: str | None = None
    """W3C Trace Context header."""
    plan_id: str | None = None
    """The plan that it belongs to."""

    @classmethod
    def current(cls) -> Binding:
        """Return what is bound in the calling context."""
        return cls(*(var.get() for var in _BOUND))

    @contextmanager
    def restored(self, *, source: str | None = None) -> Iterator[None]:
        """Bind exactly this snapshot, unbinding what it lacks, until the block ends.

        Args:
            source: the envelope's ``source`` for events built in the block.
        """
        tokens = [var.set(value) for var, value in zip(_BOUND, self, strict=True)]
        source_token = source_var.set(source)
        try:
            yield
        finally:
            source_var.reset(source_token)
            for var, token in zip(_BOUND, tokens, strict=True):
                var.reset(token)


_BOUND: Final = (
    user_identity_var,
    on_behalf_of_var,
    session_id_var,
    correlation_id_var,
    causation_id_var,
    traceparent_var,
    plan_id_var,
)


@contextmanager
def bind(
    *,
    identity: _Bindable = _KEEP,
    on_behalf_of: _Bindable = _KEEP,
    session_id: _Bindable = _KEEP,
    correlation_id: _Bindable = _KEEP,
    traceparent: _Bindable = _KEEP,
    plan_id: _Bindable = _KEEP,
) -> Iterator[Binding]:
    """Bind who acts and in which request, for every event built inside the block.

    Blocks nest: a field that is not given keeps its outer value, and ``None`` unbinds it.
    Works as a decorator of plain functions too; a coroutine function takes the block into its
    body, for a decorator's would have ended before it runs. The binding follows asyncio tasks
    created in the block, and commands sent to service actors; a thread that the host starts
    must bind for itself.

    Args:
        identity: who acts; the envelope's ``user_identity``.
        on_behalf_of: for whom.
        session_id: the session.
        correlation_id: what one request has in common.
        traceparent: a W3C Trace Context header, version 00.
        plan_id: the plan.

    Yields:
        The binding now in force.

    Raises:
        InvalidBinding: a value is not a non-empty string, or no valid traceparent.
    """
    given = (
        (user_identity_var, "identity", identity),
        (on_behalf_of_var, "on_behalf_of", on_behalf_of),
        (session_id_var, "session_id", session_id),
        (correlation_id_var, "correlation_id", correlation_id),
        (traceparent_var, "traceparent", traceparent),
        (plan_id_var, "plan_id", plan_id),
    )
    changes = [(var, _checked(name, value)) for var, name, value in given if value is not _KEEP]
    tokens = [(var, var.set(value)) for var, value in changes]
    try:
        yield Binding.current()
    finally:
        for var, token in reversed(tokens):
            var.reset(token)


def _checked(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        msg = (
            f"bind({name}=...) takes a non-empty string, not {type(value).__name__}"
            f" {value!r:.80}; give text, or None to unbind it."
        )
        raise InvalidBinding(msg)
    if name == "traceparent" and not is_traceparent(value):
        msg = (
            f"bind(traceparent={value!r:.80}) is no W3C traceparent; give"
            " 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, in lower case."
        )
        raise InvalidBinding(msg)
    return value


def is_traceparent(value: str) -> bool:
    """Tell whether the text is a version 00 ``traceparent`` header (W3C Trace Context)."""
    return _TRACEPARENT.fullmatch(value) is not None
