"""Legal holds: what keeps entries from being pruned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from minutebook.domain.errors import InvalidCommand
from minutebook.domain.state.retention import Hold

HOLD_TYPES: Final = ("hold.placed", "hold.lifted")
"""Types of the events that tell of holds; the ledger itself remembers them by these."""


class Held(NamedTuple):
    """What of an entry a hold may go by."""

    log_index: int
    """Its place."""
    user_identity: str | None
    """Who acted."""
    on_behalf_of: str | None
    """For whom."""
    session_id: str | None
    """In which session."""
    plan_id: str | None
    """Of which plan."""


def range_of(value: str) -> tuple[int, int]:
    """Return the first and the last index that a hold on entries says.

    Raises:
        InvalidCommand: it says none.
    """
    first, _, last = value.partition("-")
    digits = first.isascii() and first.isdigit() and last.isascii() and last.isdigit()
    if not digits or int(first) > int(last):
        msg = f"{value!r:.80} is no range of entries; give the first and the last index: 17-42."
        raise InvalidCommand(msg)
    return int(first), int(last)


def covers(hold: Hold, entry: Held) -> bool:
    """Tell whether a hold keeps an entry."""
    if hold.kind == "entries":
        first, last = range_of(hold.value)
        return first <= entry.log_index <= last
    if hold.kind == "plan":
        return entry.plan_id == hold.value
    if hold.kind == "session":
        return entry.session_id == hold.value
    return hold.value in (entry.user_identity, entry.on_behalf_of)


def split_held(entries: Iterable[Held], holds: Sequence[Hold]) -> tuple[list[int], list[int]]:
    """Return the indexes of the entries that no hold keeps, and of those that one does."""
    free: list[int] = []
    held: list[int] = []
    for entry in entries:
        (held if any(covers(hold, entry) for hold in holds) else free).append(entry.log_index)
    return free, held
