"""The AuditActor gives way to who tells, and to nobody when somebody waits for it."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from minutebook.actors import audit
from minutebook.actors.audit import GIVING_WAY_MAX, AuditActor
from minutebook.actors.health import Vitals
from minutebook.actors.inbox import Batch
from minutebook.actors.ledger.journal import Journal
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.steps import GiveWay
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import DuplicateEvent
from tests.contract.trail import PRODUCER, Counted, new_encoder


class Ways(MemoryLedger):
    """Notes for each batch whether way is to be given."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.ways: list[GiveWay | None] = []

    def append(
        self, bodies: Sequence[bytes], give_way: GiveWay | None = None
    ) -> list[Receipt | DuplicateEvent]:
        self.ways.append(give_way)
        return super().append(bodies, give_way)


@pytest.mark.parametrize("count", [1, GIVING_WAY_MAX, GIVING_WAY_MAX + 1])
def test_way_is_given_with_batches_that_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """More come faster than could be done so; and nobody who waits is to wait for that."""
    slept: list[float] = []
    monkeypatch.setattr(audit, "time", SimpleNamespace(sleep=slept.append, monotonic=lambda: 0.0))
    encoder = new_encoder()
    ledger = Ways(encoder)
    journal = Journal(tmp_path / "journals", PRODUCER, event_bytes_max=65_536)
    actor = AuditActor(ledger, encoder, Vitals("memory", PRODUCER), journal=journal)
    for number in range(count):
        journal.append(encoder.encode_head(Counted(who="x", number=number)))
    actor.on_receive(Batch([]))
    small = count <= GIVING_WAY_MAX
    assert [way is not None for way in ledger.ways] == [small]
    # When an event is taken out of the journal, and when its columns are read.
    assert len(slept) == (2 * count if small else 0)

    slept.clear()
    actor._inbox.hurry()
    journal.append(encoder.encode_head(Counted(who="x", number=count)))
    actor.on_receive(Batch([]))
    assert slept == []
    journal.end(keep=False)
