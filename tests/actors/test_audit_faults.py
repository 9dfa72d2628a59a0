"""Each step of a commit x {not persisted, persisted but raised}: nothing lost, nothing twice."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from pykka import Future

from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.system import AuditSystem
from minutebook.domain.entry import Entry, Receipt
from minutebook.domain.errors import (
    DuplicateEvent,
    LedgerBusy,
    LedgerError,
    LedgerFull,
    LedgerInputOutput,
    MinutebookError,
    ServiceFailure,
    UncommittedEvents,
)
from tests.contract.trail import (
    WAIT_S,
    Counted,
    Fault,
    FaultyLedger,
    Verdict,
    check_trail,
    counted,
    entries_of,
    new_encoder,
    system_on,
    wait_until,
)


class Panic(BaseException):
    """Like the panic of a library written in Rust, which is none of Exception."""


class Unprintable(Exception):
    """Its text raises, too."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Trail(NamedTuple):
    """A system on a failing ledger, and how to read what it holds."""

    system: AuditSystem
    ledger: FaultyLedger
    entries: Callable[[], list[Entry]]


MakeTrail = Callable[..., Trail]


@pytest.fixture(params=["memory", "sqlite"])
def make_trail(request: pytest.FixtureRequest, tmp_path: Path) -> MakeTrail:
    def make(*faults: Fault | None, verdict: Verdict = lambda _: None) -> Trail:
        encoder = new_encoder()
        path = tmp_path / "audit.db"
        memory = MemoryLedger(encoder)
        real: Ledger = memory if request.param == "memory" else SqliteLedger(path, encoder)
        ledger = FaultyLedger(real, faults, verdict)

        def entries() -> list[Entry]:
            if request.param == "sqlite":
                return entries_of(path)
            memory.verify()
            return list(memory.entries)

        return Trail(system_on(ledger, encoder, path=path), ledger, entries)

    return make


ERRORS: list[Callable[[str], LedgerError]] = [
    LedgerBusy,
    LedgerFull,
    LedgerInputOutput,
    LedgerError,
]


@pytest.mark.parametrize("persisted", [False, True], ids=["not persisted", "persisted"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("error", ERRORS)
def test_a_ledger_that_fails_for_a_while_gets_every_event_once(
    make_trail: MakeTrail, error: Callable[[str], LedgerError], times: int, persisted: bool
) -> None:
    trail = make_trail(*[Fault(error("out of order; mend it."), persisted)] * times)
    futures = [trail.system.audit.ask(Counted(who="x", number=number)) for number in range(50)]
    receipts = [future.get(timeout=WAIT_S) for future in futures]

    entries = trail.entries()
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(50)]
    assert [receipt.leaf_hash for receipt in receipts] == [entry.leaf_hash for entry in entries]
    health = trail.system.health()
    assert (health.status, health.reason, health.retries) == ("ok", None, 0)
    assert (health.committed, health.rejected, health.backlog) == (50, 0, 0)
    trail.system.close(timeout=WAIT_S)


def test_health_says_degraded_and_why_and_then_ok(make_trail: MakeTrail) -> None:
    failing = True

    def verdict(bodies: Sequence[bytes]) -> Fault | None:
        return Fault(LedgerFull("the disk is full; make room on it.")) if failing else None

    trail = make_trail(verdict=verdict)
    assert trail.system.health().status == "ok"
    future = trail.system.audit.ask(Counted(who="x", number=0))
    wait_until(lambda: trail.system.health().retries >= 2)

    health = trail.system.health()
    assert health.status == "degraded"
    assert health.reason == "the disk is full; make room on it."
    assert health.degraded_since is not None
    assert health.backlog == 1
    assert health.committed == 0
    assert health.last_log_index is None

    failing = False
    receipt = future.get(timeout=WAIT_S)
    wait_until(lambda: trail.system.health().committed == 1)
    health = trail.system.health()
    assert (health.status, health.reason, health.degraded_since) == ("ok", None, None)
    assert health.last_log_index == receipt.log_index == 0
    assert health.last_commit_at == receipt.recorded_time
    trail.system.close(timeout=WAIT_S)


class Batch(NamedTuple):
    """Events that are asked in one batch, and what must become of them."""

    events: Callable[[], list[Counted]]
    types: list[str]
    outcomes: list[int | type[BaseException]]


def plain() -> list[Counted]:
    return [Counted(who="x", number=number) for number in range(3)]


def told_again() -> list[Counted]:
    first = Counted(who="x", number=0)
    return [first, Counted(who="x", number=1), first]


def other_content() -> list[Counted]:
    first = Counted(who="x", number=0)
    return [first, Counted(who="y", number=1, id=first.id), Counted(who="x", number=1)]


def known_before() -> list[Counted]:
    return [BEFORE, Counted(who="x", number=0), Counted(who="y", number=1, id=BEFORE.id)]


BEFORE = Counted(who="before", number=0)

BATCHES = {
    "one": Batch(lambda: plain()[:1], ["trail.counted"], [1]),
    "several": Batch(plain, ["trail.counted"] * 3, [1, 2, 3]),
    "told again": Batch(told_again, ["trail.counted"] * 2 + ["audit.gap"], [1, 2, 1]),
    "other content": Batch(
        other_content, ["trail.counted", "audit.gap", "trail.counted"], [1, DuplicateEvent, 3]
    ),
    "known before": Batch(
        known_before, ["audit.gap", "trail.counted", "audit.gap"], [0, 2, DuplicateEvent]
    ),
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize(
    "faults",
    [(False,), (True,), (False, True), (True, False), (True, True)],
    ids=lambda faults: "then ".join("persisted " if fault else "lost " for fault in faults),
)
def test_a_batch_is_committed_once_whatever_became_of_the_first_try(
    make_trail: MakeTrail, faults: tuple[bool, ...], batch: Batch
) -> None:
    error = LedgerInputOutput("the commit may be there or not; check the disk.")
    failures = [Fault(error, persisted) for persisted in faults]
    # The event before goes in; the first batch after it fails as said.
    trail = make_trail(None, *failures)
    futures = ask_in_one_batch(trail, batch.events())

    assert outcomes_of(futures) == batch.outcomes
    entries = trail.entries()
    check_trail(entries)
    assert [entry.type for entry in entries] == ["trail.counted", *batch.types]
    trail.system.close(timeout=WAIT_S)
    check_trail(trail.entries())


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, Panic, SystemExit, Unprintable])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_an_event_that_breaks_the_ledger_costs_only_itself(
    make_trail: MakeTrail, kind: Callable[[str], BaseException], place: int
) -> None:
    def verdict(bodies: Sequence[bytes]) -> Fault | None:
        broken = any(b'"who":"bad"' in body for body in bodies)
        return Fault(kind("broken " * 100_000)) if broken else None

    trail = make_trail(None, verdict=verdict)
    events = [Counted(who="bad" if n == place else "x", number=n) for n in range(5)]
    futures = ask_in_one_batch(trail, events)

    outcomes = outcomes_of(futures)
    assert outcomes[place] is ServiceFailure
    assert [outcome for outcome in outcomes if outcome is not ServiceFailure] == [
        index + 1 for index in range(5) if index != place
    ]
    entries = trail.entries()
    check_trail(entries)
    gap = entries[place + 1]
    assert gap.type == "audit.gap"
    assert gap.payload["cause"] == "unstorable"
    assert gap.payload["event_id"] == events[place].id
    assert counted(entries) == [("before", 0)] + [("x", n) for n in range(5) if n != place]
    health = trail.system.health()
    assert (health.status, health.rejected, health.committed) == ("ok", 1, 5)
    trail.system.close(timeout=WAIT_S)


def test_the_system_goes_on_after_a_panic_in_the_middle_of_many(make_trail: MakeTrail) -> None:
    committed = Fault(Panic(), persisted=True)
    trail = make_trail(None, Fault(Panic()), None, committed, None, None, committed)
    for number in range(1000):
        trail.system.audit.tell(Counted(who="x", number=number))
    trail.system.close(timeout=WAIT_S)
    check_trail(trail.entries())
    assert counted(trail.entries()) == [("x", number) for number in range(1000)]


def test_an_event_without_even_a_gap_is_counted_as_lost(make_trail: MakeTrail) -> None:
    def verdict(bodies: Sequence[bytes]) -> Fault | None:
        return Fault(Panic()) if any(b'"bad' in body for body in bodies) else None

    trail = make_trail(verdict=verdict)
    bad = Counted(who="bad", number=0, user_identity="bad")  # its gap names who acted, too
    future = trail.system.audit.ask(bad)
    with pytest.raises(UncommittedEvents):
        future.get(timeout=WAIT_S)
    trail.system.audit.tell(Counted(who="x", number=1))
    with pytest.raises(UncommittedEvents) as lost:
        trail.system.flush(timeout=WAIT_S)
    assert lost.value.count == 1
    with pytest.raises(UncommittedEvents) as lost:
        trail.system.close(timeout=WAIT_S)
    assert lost.value.count == 1
    assert counted(trail.entries()) == [("x", 1)]


def ask_in_one_batch(trail: Trail, events: list[Counted]) -> list[Future[Receipt]]:
    """Tell `BEFORE`, and ask events that the actor all finds waiting when that is committed."""
    trail.ledger.gate.clear()
    trail.system.audit.tell(BEFORE)
    assert trail.ledger.entered.wait(WAIT_S)
    futures = [trail.system.audit.ask(event) for event in events]
    trail.ledger.gate.set()
    return futures


def outcomes_of(futures: list[Future[Receipt]]) -> list[int | type[BaseException]]:
    """The index of each, or the kind of its error."""
    outcomes: list[int | type[BaseException]] = []
    for future in futures:
        try:
            outcomes.append(future.get(timeout=WAIT_S).log_index)
        except MinutebookError as error:
            outcomes.append(type(error))
    return outcomes
