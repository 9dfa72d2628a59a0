"""What hosts get for their own tests."""

from __future__ import annotations

import pytest

from minutebook.actors.testing import MemoryTrail
from minutebook.domain import AuditEvent, bind
from minutebook.domain.errors import LedgerCorrupt


class Lost(AuditEvent, type="testing_test.lost"):
    parcel: str


def test_what_was_told_is_there() -> None:
    """Entries, by type, with what was bound."""
    with MemoryTrail(service="shop") as trail:
        with bind(identity="alice"):
            trail.audit.tell(Lost(parcel="A"))
            receipt = trail.audit.ask(Lost(parcel="B")).get(timeout=5)
        first, second = trail.of("testing_test.lost")
        assert (first.payload, first.user_identity, first.source) == (
            {"parcel": "A"},
            "alice",
            "shop",
        )
        assert second.log_index == receipt.log_index
        assert len(trail.entries) == 2
    assert [entry.type for entry in trail.ledger.entries][-1] == "audit.closed"


def test_an_entry_that_is_rewritten_fails_the_test() -> None:
    """Strict: the ledger compares every entry with the receipt that it gave."""
    trail = MemoryTrail()
    trail.audit.tell(Lost(parcel="A"))
    (entry,) = trail.entries
    trail.ledger.entries[0] = entry._replace(user_identity="mallory")
    with pytest.raises(LedgerCorrupt):
        trail.close()
