"""What becomes of a batch in which some ids are in the ledger already, or come twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Receipt, Record, leaf_hash, leaf_input, same_event
from minutebook.domain.errors import DuplicateEvent
from minutebook.domain.gap import substitute


class Known(NamedTuple):
    """An entry that has the id already."""

    receipt: Receipt
    """What it was given."""
    body: bytes | None
    """Its stored bytes; ``None`` when it was pruned."""

    def is_of(self, body: bytes) -> bool:
        """Tell whether the entry has these stored bytes, or had them."""
        if self.body is not None:
            return self.body == body
        return leaf_hash(leaf_input(self.receipt.recorded_at, body)) == self.receipt.leaf_hash


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
            found = before[record.id]
            verdict = found.receipt
        elif record.id in places:
            verdict = places[record.id]
            found = Known(_UNKNOWN, new[verdict].body)
        else:
            places[record.id] = len(new)
            verdicts.append(len(new))
            new.append(record)
            continue
        if found.is_of(record.body):
            verdicts.append(verdict)
            continue
        stand_in, outcome = _judge(record, found.body, encoder)
        verdicts.append(verdict if outcome is None else outcome)
        # A batch that is retried may have entered its substitutes the first time.
        if stand_in.id not in places and stand_in.id not in known([stand_in.id]):
            places[stand_in.id] = len(new)
            new.append(stand_in)
    return Settled(new, verdicts)


_UNKNOWN: Final = Receipt(-1, b"", 0)


def _judge(
    record: Record, body: bytes | None, encoder: Encoder
) -> tuple[Record, DuplicateEvent | None]:
    if body is not None and same_event(body, record.body):
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
