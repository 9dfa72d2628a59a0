"""Delivery classes on whole systems: who waits for what, and what is kept."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.inbox import AuditInbox
from minutebook.actors.teller import Teller
from minutebook.actors.writer import WAKE
from minutebook.actors.writer_process import WriterProcess
from minutebook.domain import AuditEvent, EventDefinitionError, InvalidEvent, UncommittedEvents
from minutebook.domain.encoding import with_producer
from minutebook.domain.errors import AuditBacklogFull, AuditUnavailable
from tests.contract.trail import (
    WAIT_S,
    Counted,
    check_trail,
    counted,
    entries_of,
    new_encoder,
    wait_until,
)


class Important(AuditEvent, type="delivery_test.important", delivery="committed"):
    number: int


class Untyped(AuditEvent, type="delivery_test.untyped"):
    value: Any


def holding_the_ledger(path: Path) -> apsw.Connection:
    """A connection that keeps everybody else from writing, until it is closed."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5000)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_committed_event_is_in_the_ledger_when_its_tell_returns(tmp_path: Path) -> None:
    """By its class, or for one call."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.audit.tell(Important(number=1))
        assert [e.payload for e in entries_of(path) if e.type == Important.type] == [{"number": 1}]
        system.audit.tell(Counted(who="x", number=2), "committed")
        assert counted(entries_of(path)) == [("x", 2)]
        system.audit.tell(Important(number=3), "buffered")
        system.flush(timeout=WAIT_S)
    check_trail(entries_of(path))


@pytest.mark.parametrize("writer", ["thread", "process"])
def test_large_events_that_wait_become_several_transactions(tmp_path: Path, writer: Any) -> None:
    """What was told before a flush is committed by it, however much that is."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, writer=writer) as system:
        system.flush(timeout=WAIT_S)
        held = holding_the_ledger(path)
        system.audit.tell_all(Untyped(value=[number, "x" * 250_000]) for number in range(80))
        held.close()
        system.flush(timeout=WAIT_S)
        entries = [entry for entry in entries_of(path) if entry.type == Untyped.type]
    assert [entry.payload["value"][0] for entry in entries] == list(range(80))
    assert len({entry.recorded_at for entry in entries}) > 1
    check_trail(entries_of(path))


@pytest.mark.parametrize("delivery", ["journaled", "buffered"])
@pytest.mark.parametrize("writer", ["thread", "process"])
def test_what_is_told_one_by_one_shares_commits(tmp_path: Path, writer: Any, delivery: Any) -> None:
    """Nobody waits for it: a commit costs the host the same for one as for many."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, writer=writer) as system:
        system.flush(timeout=WAIT_S)
        for number in range(300):
            system.audit.tell(Counted(who="x", number=number), delivery)
            time.sleep(0.001)
    entries = [entry for entry in entries_of(path) if entry.type == Counted.type]
    assert [entry.payload["number"] for entry in entries] == list(range(300))
    assert len({entry.recorded_at for entry in entries}) < 100


def test_a_backlog_that_is_half_full_hurries_who_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it lives: else callers would be refused while it pauses."""
    with AuditSystem.open(tmp_path / "one.db") as system:
        assert system._journal is not None
        assert system._journal.hurry == system._inbox.hurry

    sent: list[bytes] = []
    send = WriterProcess.send

    def noting(self: WriterProcess, command: bytes) -> None:
        sent.append(command)
        send(self, command)

    monkeypatch.setattr(WriterProcess, "send", noting)
    with AuditSystem.open(tmp_path / "other.db", writer="process") as system:
        system.flush(timeout=WAIT_S)
        sent.clear()
        assert system._journal is not None
        system._journal.hurry()
        wait_until(lambda: sent == [WAKE])


def test_buffered_events_hurry_who_commits_from_half_of_the_backlog_on() -> None:
    inbox, encoder = AuditInbox(), new_encoder()
    teller = Teller(inbox, encoder, backlog_max=10, block_timeout_s=0.0)
    for number in range(5):
        teller.tell(Counted(who="x", number=number), "buffered")
    assert not inbox.is_hurried
    for number in range(5, 10):
        teller.tell(Counted(who="x", number=number), "buffered")
        assert inbox.is_hurried
    with pytest.raises(AuditBacklogFull):
        teller.tell(Counted(who="x", number=10), "buffered")
    assert len(inbox) == 10


def test_tell_all_keeps_the_order_of_each_class(tmp_path: Path) -> None:
    """Many at once, in each class."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        for delivery in ("journaled", "buffered", "committed"):
            chosen: Any = delivery
            system.audit.tell_all(
                (Counted(who=delivery, number=number) for number in range(50)), chosen
            )
            if delivery == "committed":
                assert sum(who == delivery for who, _ in counted(entries_of(path))) == 50
    entries = entries_of(path)
    check_trail(entries)
    for delivery in ("journaled", "buffered", "committed"):
        assert [n for who, n in counted(entries) if who == delivery] == list(range(50))


def test_what_was_journaled_before_an_ask_or_a_buffered_event_is_committed_before_it(
    tmp_path: Path,
) -> None:
    """One thread's journaled events never come after what it asked or buffered later."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        for number in range(0, 300, 3):
            system.audit.tell(Counted(who="x", number=number))
            system.audit.tell(Counted(who="x", number=number + 1), "buffered")
            system.audit.ask(Counted(who="x", number=number + 2)).get(timeout=WAIT_S)
    places = {number: place for place, (_, number) in enumerate(counted(entries_of(path)))}
    for number in range(0, 300, 3):
        assert places[number] < places[number + 1]
        assert places[number] < places[number + 2]


def test_a_coroutine_waits_for_the_commit(tmp_path: Path) -> None:
    """`await system.audit.committed(event)` gives the receipt."""
    path = tmp_path / "audit.db"

    async def main(system: AuditSystem) -> list[int]:
        receipts = await asyncio.gather(
            *(system.audit.committed(Counted(who="x", number=number)) for number in range(20))
        )
        return [receipt.log_index for receipt in receipts]

    with AuditSystem.open(path) as system:
        indexes = asyncio.run(main(system))
    assert indexes == sorted(indexes)
    assert len(set(indexes)) == 20


def test_an_unknown_class_of_delivery_is_refused(tmp_path: Path) -> None:
    """At the class statement, and at the call."""
    with pytest.raises(EventDefinitionError, match="pigeon"):

        class Sent(AuditEvent, type="delivery_test.sent", delivery="pigeon"):
            """Nothing."""

    with AuditSystem.open(tmp_path / "audit.db") as system:
        wrong: Any = "pigeon"
        with pytest.raises(InvalidEvent, match="buffered"):
            system.audit.tell(Counted(who="x", number=1), wrong)


def test_a_buffered_event_that_cannot_be_stored_leaves_a_gap(tmp_path: Path) -> None:
    """The caller is gone; its id and the cause are recorded, and its neighbours too."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        wrong = Untyped(value=2**70)
        system.audit.tell(Counted(who="x", number=1), "buffered")
        system.audit.tell(wrong, "buffered")
        system.audit.tell(Counted(who="x", number=2), "buffered")
        system.flush(timeout=WAIT_S)
        assert system.health().rejected == 1
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("x", 1), ("x", 2)]
    (gap,) = (entry for entry in entries if entry.type == "audit.gap")
    assert gap.payload["cause"] == "unstorable"
    assert gap.payload["event_id"] == wrong.id
    assert "64 bits" in gap.payload["detail"]


def test_a_close_that_cannot_commit_keeps_what_was_journaled_for_the_next_open(
    tmp_path: Path,
) -> None:
    """The count is told, and nothing of it is lost."""
    path = tmp_path / "audit.db"
    system = AuditSystem.open(path, busy_timeout=0.05)
    system.flush(timeout=WAIT_S)
    holder = holding_the_ledger(path)
    try:
        for number in range(100):
            system.audit.tell(Counted(who="x", number=number))
        with pytest.raises(UncommittedEvents) as caught:
            system.close(timeout=0.3)
    finally:
        holder.close()
    assert caught.value.count == 100
    assert counted(entries_of(path)) == []
    with AuditSystem.open(path) as following:
        following.flush(timeout=WAIT_S)
    entries = entries_of(path)
    assert counted(entries) == [("x", number) for number in range(100)]
    (recovered,) = (entry for entry in entries if entry.type == "audit.recovered")
    assert recovered.payload["committed"] == 100


def test_a_full_backlog_rejects_or_blocks_until_there_is_room(tmp_path: Path) -> None:
    """At the bound the caller is told, nothing is taken, and what was taken is committed."""
    path = tmp_path / "audit.db"
    system = AuditSystem.open(path, backlog_max=20, overflow="reject", busy_timeout=0.05)
    system.flush(timeout=WAIT_S)
    holder = holding_the_ledger(path)
    taken = []
    try:
        for delivery in ("journaled", "buffered"):
            chosen: Any = delivery
            for number in range(100):
                try:
                    system.audit.tell(Counted(who=delivery, number=number), chosen)
                except AuditBacklogFull:
                    break
                taken.append((delivery, number))
            else:
                pytest.fail("nothing was refused")
        assert system.health().refused == 2
        wait_until(lambda: system.health().status == "degraded")
    finally:
        holder.close()
    wait_until(lambda: system.health().backlog == 0)
    system.audit.tell(Counted(who="after", number=0))
    system.close()
    assert sorted(counted(entries_of(path))) == sorted([*taken, ("after", 0)])


def test_a_blocked_caller_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """Ten times as many events as the backlog holds: all are told, none is lost."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, backlog_max=10, block_timeout=30) as system:
        for number in range(1000):
            system.audit.tell(Counted(who="x", number=number))
    assert counted(entries_of(path)) == [("x", number) for number in range(1000)]


def test_fail_closed_does_nothing_unrecorded(tmp_path: Path) -> None:
    """While the ledger cannot be written, what changes something is refused; looking is not."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, fail_closed=True, busy_timeout=0.05) as system:
        session = system.sessions.create(actor_name="a").get(timeout=WAIT_S)
        system.flush(timeout=WAIT_S)
        holder = holding_the_ledger(path)
        try:
            system.audit.tell(Counted(who="x", number=1))
            wait_until(lambda: system.health().status == "degraded")
            with pytest.raises(AuditUnavailable, match="fail_closed"):
                system.sessions.create(actor_name="b")
            with pytest.raises(AuditUnavailable):
                system.plans.cancel("x", reason="y")
            assert system.sessions.list().get(timeout=WAIT_S) == (session,)
        finally:
            holder.close()
        wait_until(lambda: system.health().status == "ok")
        system.sessions.create(actor_name="b").get(timeout=WAIT_S)


def test_the_journal_is_gone_after_a_close_in_order(tmp_path: Path) -> None:
    """Nothing is left to recover, and nothing of it piles up."""
    path = tmp_path / "audit.db"
    for number in range(3):
        with AuditSystem.open(path) as system:
            system.audit.tell_all(Counted(who="x", number=number) for _ in range(5000))
    journals = tmp_path / "audit.db.journal.d"
    assert [*journals.glob("*.owner"), *journals.glob("*.journal*"), *journals.glob("*.new")] == []
    assert "audit.recovered" not in {entry.type for entry in entries_of(path)}


def test_a_forked_child_leaves_the_parents_journal_alone(tmp_path: Path) -> None:
    """The child's exit neither frees the owner's lock nor deletes a file; it may open its own."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.audit.tell(Counted(who="parent", number=1))
        pid = os.fork()
        if pid == 0:
            try:
                with AuditSystem.open(path) as own:
                    own.audit.tell(Counted(who="child", number=1))
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        opening = "import sys; from minutebook.actors import AuditSystem as A; A.open(sys.argv[1])"
        subprocess.run([sys.executable, "-c", opening, str(path)], check=True)
        system.audit.tell(Counted(who="parent", number=2))
    entries = entries_of(path)
    assert sorted(counted(entries)) == [("child", 1), ("parent", 1), ("parent", 2)]
    assert "audit.recovered" not in {entry.type for entry in entries}


@pytest.mark.parametrize(
    "text",
    ["plain", 'said "yes"\n', "back\\slash", "\x10 escapes", "\udcff no UTF-8", 'both \x10 and "'],
)
def test_what_is_stored_is_what_the_encoder_writes(tmp_path: Path, text: str) -> None:
    """Whichever of its ways a tell takes to the journal."""
    path = tmp_path / "audit.db"
    event = Counted(who="x", number=0, note=text)
    with AuditSystem.open(path) as system:
        system.audit.tell(event)
        head = system._encoder.encode_head(event)
    (entry,) = (entry for entry in entries_of(path) if entry.type == Counted.type)
    assert entry.body == with_producer(head, entry.producer, entry.producer_seq)
    assert entry.payload["note"] == text
