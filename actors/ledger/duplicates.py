"""What becomes of a batch in which some ids are in the ledger already, or come twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Receipt, Record, same_event
from minutebook.domain.errors import DuplicateEvent
from minutebook.domain.gap import substitute


class Known(NamedTuple):
    """An entry that has the id already."""

    receipt: Receipt
    """What it was given."""
    body: bytes
    """Its stored bytes."""


class Settled(NamedTuple):
    """A batch, sorted out."""

    new: list[Record]
    """What is to be entered, in order."""
    verdicts: list[Receipt | DuplicateEvent | int]
    """For each of the batch: an outcome that is certain, or its place in `new`."""

    def outcomes(self, receipts: Sequence[Receipt]) -> list[Receipt | DuplicateEvent]:
        """Return the outcome for each of the batch, given the receipts of `new`."""
        return [
            receipts[verdict] if isinstance(verdict, int) else verdict for verdict in self.verdicts
        ]


def settle(
    records: Sequence[Record],
    known: Callable[[Sequence[str]], dict[str, Known]],
    encoder: Encoder,
) -> Settled:
    """Sort out a batch: what is new, what was entered before, what must not be.

    Args:
        records: the batch.
        known: looks up which of some ids the ledger has.
        encoder: writes the substitutes.
    """
    before = known([record.id for record in records])
    places: dict[str, int] = {}
    new: list[Record] = []
    verdicts: list[Receipt | DuplicateEvent | int] = []
    for record in records:
        verdict: Receipt | int
        if record.id in before:
            verdict, body = before[record.id]
        elif record.id in places:
            verdict = places[record.id]
            body = new[verdict].body
        else:
            places[record.id] = len(new)
            verdicts.append(len(new))
            new.append(record)
            continue
        if body == record.body:
            verdicts.append(verdict)
            continue
        stand_in, outcome = _judge(record, body, encoder)
        verdicts.append(verdict if outcome is None else outcome)
        # A batch that is retried may have entered its substitutes the first time.
        if stand_in.id not in places and stand_in.id not in known([stand_in.id]):
            places[stand_in.id] = len(new)
            new.append(stand_in)
    return Settled(new, verdicts)


def _judge(record: Record, body: bytes, encoder: Encoder) -> tuple[Record, DuplicateEvent | None]:
    if same_event(body, record.body):
        detail = "the same event was told again; the first telling is in the ledger"
        return substitute(record, encoder, cause="repeated", detail=detail), None
    msg = (
        f"the ledger has event {record.id} already, with another type or payload than this"
        f" {record.type}; give each event an id of its own, or leave the id out."
    )
    gap = substitute(
        record, encoder, cause="duplicate_id", detail="its id belongs to another event"
    )
    return gap, DuplicateEvent(msg)
