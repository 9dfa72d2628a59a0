"""The ledger in memory fails a test that rewrites history."""

import pytest

from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import LedgerCorrupt
from tests.contract.trail import many


@pytest.fixture
def ledger(encoder: Encoder) -> MemoryLedger:
    made = MemoryLedger(encoder)
    made.append(many(encoder, 3))
    return made


def changed_type(ledger: MemoryLedger) -> None:
    ledger.entries[1] = ledger.entries[1]._replace(type="another.type")


def changed_body(ledger: MemoryLedger) -> None:
    entry = ledger.entries[1]
    ledger.entries[1] = entry._replace(body=entry.body.replace(b'"x"', b'"y"'))


def changed_body_and_hash(ledger: MemoryLedger) -> None:
    # What a forger would do who knows the layout: the receipt that was given still differs.
    ledger.entries[1] = ledger.entries[1]._replace(
        recorded_at=0, leaf_hash=ledger.entries[0].leaf_hash
    )


def changed_tree(ledger: MemoryLedger) -> None:
    ledger.tree = ledger.tree._replace(hashes=ledger.tree.hashes[::-1])


def removed(ledger: MemoryLedger) -> None:
    del ledger.entries[2]


def reordered(ledger: MemoryLedger) -> None:
    ledger.entries[0], ledger.entries[1] = ledger.entries[1], ledger.entries[0]


@pytest.mark.parametrize(
    "rewrite", [changed_type, changed_body, changed_body_and_hash, changed_tree, removed, reordered]
)
def test_rewriting_an_entry_is_found(ledger: MemoryLedger, rewrite: object) -> None:
    ledger.verify()
    assert callable(rewrite)
    rewrite(ledger)
    with pytest.raises(LedgerCorrupt):
        ledger.verify()
    with pytest.raises(LedgerCorrupt):
        ledger.close()


def test_what_is_left_alone_closes(ledger: MemoryLedger) -> None:
    ledger.close()
    assert len(ledger.entries) == 3
