"""What `minutebook.actors.ledger.port.Ledger` promises, on each implementation."""

from typing import TYPE_CHECKING

import pytest

from minutebook.domain.entry import Entry, Receipt
from minutebook.domain.errors import DuplicateEvent, LedgerError
from minutebook.domain.merkle import EMPTY
from tests.contract.trail import PRODUCER, Counted, check_trail, counted, many, stored

if TYPE_CHECKING:
    from tests.contract.conftest import Subject

SIZES = sorted(
    {1, 2, 3, 600} | {(1 << power) + off for power in range(2, 10) for off in (-1, 0, 1)}
)


def receipt_of(entry: Entry) -> Receipt:
    return Receipt(entry.log_index, entry.leaf_hash, entry.recorded_at)


@pytest.mark.parametrize("size", SIZES)
def test_a_batch_of_any_size_is_entered_in_order_with_a_receipt_each(
    subject: "Subject", size: int
) -> None:
    subject.ledger.append(many(subject.encoder, 3))

    receipts = subject.ledger.append(many(subject.encoder, size, first=3))

    entries = subject.entries()
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(size + 3)]
    assert receipts == [receipt_of(entry) for entry in entries[3:]]
    assert len({entry.recorded_at for entry in entries[3:]}) == 1


def test_the_stored_bytes_are_what_was_appended(subject: "Subject") -> None:
    bodies = many(subject.encoder, 5)
    subject.ledger.append(bodies)
    assert [entry.body for entry in subject.entries()] == bodies


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_way_may_be_given_meanwhile_and_changes_nothing(subject: "Subject", size: int) -> None:
    """At least once an event; a batch is one transaction all the same."""
    given: list[int] = []
    bodies = many(subject.encoder, size)
    receipts = subject.ledger.append(bodies, lambda: given.append(len(given)))
    entries = subject.entries()
    check_trail(entries)
    assert receipts == [receipt_of(entry) for entry in entries]
    assert [entry.body for entry in entries] == bodies
    assert len({entry.recorded_at for entry in entries}) == 1
    assert len(given) >= size


def test_an_empty_batch_enters_nothing(subject: "Subject") -> None:
    assert subject.ledger.append([]) == []
    assert subject.entries() == []
    subject.ledger.append(many(subject.encoder, 1))
    assert subject.ledger.append([]) == []
    assert len(subject.entries()) == 1


@pytest.mark.parametrize("size", [1, 2, 300])
def test_the_same_bytes_again_get_the_same_receipts_and_no_entry(
    subject: "Subject", size: int
) -> None:
    bodies = many(subject.encoder, size)
    first = subject.ledger.append(bodies)
    before = subject.entries()

    assert subject.ledger.append(bodies) == first
    assert subject.entries() == before


def test_a_retried_batch_may_have_grown_by_new_events(subject: "Subject") -> None:
    old, new = many(subject.encoder, 3), many(subject.encoder, 3, first=3)
    first = subject.ledger.append(old)

    again = subject.ledger.append([*old, *new])

    assert again[:3] == first
    check_trail(subject.entries())
    assert len(subject.entries()) == 6


def test_the_same_event_told_again_gets_the_first_receipt_and_leaves_a_gap(
    subject: "Subject",
) -> None:
    event = Counted(who="x", number=0)
    (first,) = subject.ledger.append([stored(subject.encoder, event, 0)])

    (again,) = subject.ledger.append([stored(subject.encoder, event, 1)])

    assert again == first
    entries = subject.entries()
    check_trail(entries)
    assert counted(entries) == [("x", 0)]
    gap = entries[1]
    assert (gap.type, gap.producer, gap.producer_seq) == ("audit.gap", PRODUCER, 1)
    assert gap.outcome == "success"
    assert gap.payload["cause"] == "repeated"
    assert (gap.payload["event_id"], gap.payload["event_type"]) == (event.id, event.type)
    assert (gap.payload["first_seq"], gap.payload["last_seq"], gap.payload["count"]) == (1, 1, 1)


def test_the_same_payload_from_somebody_else_is_the_same_event(subject: "Subject") -> None:
    event = Counted(who="x", number=0, user_identity="alice")
    other = Counted(who="x", number=0, user_identity="bob", id=event.id)
    (first,) = subject.ledger.append([stored(subject.encoder, event, 0)])

    assert subject.ledger.append([stored(subject.encoder, other, 1)]) == [first]
    kept, gap = subject.entries()
    assert kept.user_identity == "alice"
    assert gap.user_identity == "bob"


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_an_id_used_for_another_event_is_refused_and_leaves_a_gap(
    subject: "Subject", together: bool
) -> None:
    event = Counted(who="x", number=0)
    other = Counted(who="x", number=1, id=event.id)
    first, second = stored(subject.encoder, event, 0), stored(subject.encoder, other, 1)
    third = stored(subject.encoder, Counted(who="x", number=2), 2)

    if together:
        outcomes = subject.ledger.append([first, second, third])
    else:
        outcomes = subject.ledger.append([first]) + subject.ledger.append([second, third])

    entries = subject.entries()
    check_trail(entries)
    assert [entry.type for entry in entries] == ["trail.counted", "audit.gap", "trail.counted"]
    assert entries[1].outcome == "failure"
    assert entries[1].payload["cause"] == "duplicate_id"
    assert isinstance(outcomes[1], DuplicateEvent)
    assert event.id in str(outcomes[1])
    assert [outcomes[0], outcomes[2]] == [receipt_of(entries[0]), receipt_of(entries[2])]


def test_duplicates_of_every_kind_within_one_batch(subject: "Subject") -> None:
    encoder = subject.encoder
    known = Counted(who="x", number=0)
    subject.ledger.append([stored(encoder, known, 0)])
    fresh = Counted(who="x", number=1)
    batch = [
        stored(encoder, known, 0),  # a retry
        stored(encoder, fresh, 1),
        stored(encoder, known, 2),  # repeated
        stored(encoder, fresh, 3),  # repeated, within the batch
        stored(encoder, Counted(who="y", number=1, id=fresh.id), 4),  # another content
        stored(encoder, fresh, 1),  # the same bytes
        stored(encoder, Counted(who="x", number=2), 5),
    ]

    outcomes = subject.ledger.append(batch)

    entries = subject.entries()
    check_trail(entries)
    assert counted(entries) == [("x", 0), ("x", 1), ("x", 2)]
    assert [entry.payload["cause"] for entry in entries if entry.type == "audit.gap"] == [
        "repeated",
        "repeated",
        "duplicate_id",
    ]
    assert [
        outcome.log_index if isinstance(outcome, Receipt) else type(outcome) for outcome in outcomes
    ] == [0, 1, 0, 1, DuplicateEvent, 1, 5]

    assert [repr(outcome) for outcome in subject.ledger.append(batch)] == [
        repr(outcome) for outcome in outcomes
    ]
    assert subject.entries() == entries


def test_a_refused_event_that_comes_twice_leaves_one_gap(subject: "Subject") -> None:
    event = Counted(who="x", number=0)
    other = stored(subject.encoder, Counted(who="y", number=0, id=event.id), 1)
    subject.ledger.append([stored(subject.encoder, event, 0)])

    outcomes = subject.ledger.append([other, other])

    assert [type(outcome) for outcome in outcomes] == [DuplicateEvent, DuplicateEvent]
    check_trail(subject.entries())
    assert len(subject.entries()) == 2


def test_each_producer_has_a_sequence_of_its_own(subject: "Subject") -> None:
    mine, theirs = (many(subject.encoder, 4, producer=name * 16) for name in ("0b", "0c"))
    subject.ledger.append([mine[0], theirs[0], theirs[1], mine[1]])
    subject.ledger.append([theirs[2], mine[2], mine[3], theirs[3]])
    check_trail(subject.entries())


def test_its_tree_is_that_of_its_entries(subject: "Subject") -> None:
    """After batches of any size, and after one of which a part was there before."""
    known = many(subject.encoder, 5)
    for batch in (known, many(subject.encoder, 300, first=5), known, []):
        subject.ledger.append(batch)
        leaves = [entry.leaf_hash for entry in subject.entries()]
        assert subject.tree() == EMPTY.extended(leaves)[0]
    subject.ledger.checkpoint()
    assert subject.tree().size == 305


def test_bytes_that_are_no_event_cost_the_ledger_nothing(subject: "Subject") -> None:
    with pytest.raises((KeyError, ValueError)):
        subject.ledger.append([*many(subject.encoder, 1), b"{}"])
    subject.ledger.append(many(subject.encoder, 1))
    check_trail(subject.entries())


def test_closing_twice_is_harmless_and_a_closed_ledger_refuses(subject: "Subject") -> None:
    subject.ledger.append(many(subject.encoder, 1))
    subject.ledger.close()
    subject.ledger.close()
    with pytest.raises(LedgerError):
        subject.ledger.append(many(subject.encoder, 1, first=1))
    assert len(subject.entries()) == 1
