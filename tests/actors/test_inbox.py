"""The inboxes by themselves: order, batches, closing, and what nobody can take back."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from pykka import ActorRegistry, ThreadingActor

from minutebook.actors.inbox import (
    PAUSES,
    AuditInbox,
    Barrier,
    Batch,
    Delivery,
    Inbox,
    Told,
    resolve,
    uncommitted,
)
from minutebook.actors.reply import Reply
from minutebook.domain.errors import AuditClosed, UncommittedEvents
from minutebook.domain.event import AuditEvent
from tests.contract.trail import WAIT_S, wait_until


class Seen(AuditEvent, type="inbox_test.seen"):
    number: int


FIRST, LAST = Seen(number=1), Seen(number=2)


class Collector(ThreadingActor):
    """Keeps what it gets."""

    use_daemon_thread = True

    def __init__(self, got: list[Any]) -> None:
        super().__init__()
        self._got = got

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Inbox()

    def on_receive(self, message: Any) -> None:
        self._got.append(message)


def start(got: list[Any]) -> tuple[Any, Inbox]:
    ref = Collector.start(got)
    ActorRegistry.unregister(ref)
    inbox: Any = ref.actor_inbox
    assert isinstance(inbox, Inbox)
    return ref, inbox


def test_all_that_was_accepted_is_handled_before_the_stop() -> None:
    got: list[Any] = []
    ref, inbox = start(got)
    for number in range(1000):
        inbox.deliver(number)
    inbox.close(ref).get(timeout=WAIT_S)
    assert got == list(range(1000))
    with pytest.raises(AuditClosed, match="open a new one"):
        inbox.deliver(1000)


def test_closing_again_waits_for_the_same_end() -> None:
    got: list[Any] = []
    ref, inbox = start(got)
    first = inbox.close(ref)
    assert inbox.close(ref) is first
    assert first.get(timeout=WAIT_S) is True
    assert len(inbox) == 0


@pytest.mark.parametrize("races", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_delivery_that_returned_is_handled_however_it_races_with_closing(races: int) -> None:
    for _ in range(races):
        got: list[Any] = []
        ref, inbox = start(got)
        taken: list[int] = []
        begin = threading.Barrier(2)

        def deliver(
            inbox: Inbox = inbox, taken: list[int] = taken, begin: threading.Barrier = begin
        ) -> None:
            begin.wait()
            try:
                for number in range(10_000):
                    inbox.deliver(number)
                    taken.append(number)
            except AuditClosed:
                pass

        thread = threading.Thread(target=deliver)
        thread.start()
        begin.wait()
        inbox.close(ref).get(timeout=WAIT_S)
        thread.join()
        assert got == taken


def test_no_delivery_falls_between_the_check_and_the_hand_over() -> None:
    # The race above, held open: a delivery is past the check when somebody closes.
    got: list[Any] = []
    ref, inbox = start(got)
    past_the_check, go_on = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, queue: SimpleQueue[Any]) -> None:
            self._queue = queue

        def put(self, item: Any) -> None:
            if item == "slow":
                past_the_check.set()
                go_on.wait(WAIT_S)
            self._queue.put(item)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._queue, name)

    inbox.deliver("first")
    vars(inbox)["_queue"] = Slow(inbox._queue)
    deliverer = threading.Thread(target=inbox.deliver, args=("slow",))
    deliverer.start()
    assert past_the_check.wait(WAIT_S)
    closer = threading.Thread(target=inbox.close, args=(ref,))
    closer.start()
    closer.join(0.2)  # without the lock it ends here, its stop before the slow delivery
    go_on.set()
    deliverer.join(WAIT_S)
    closer.join(WAIT_S)
    inbox.close(ref).get(timeout=WAIT_S)
    assert got == ["first", "slow"]


def test_a_batch_is_what_waits_up_to_the_limit_in_order() -> None:
    inbox = AuditInbox(batch_max=3)
    told, barrier = Told(b"2", Reply()), Barrier(Reply())
    for item in (FIRST, told, barrier, LAST):
        inbox.deliver(item)
    assert inbox.get() == Delivery(Batch([FIRST, told, barrier]))
    assert not inbox.empty()
    assert inbox.get() == Delivery(Batch([LAST]))
    assert inbox.empty()


def test_pykkas_own_message_ends_a_batch_and_is_not_lost() -> None:
    inbox = AuditInbox()
    stop = Delivery("stop")
    inbox.deliver(FIRST)
    inbox.put(stop)
    assert inbox.get() == Delivery(Batch([FIRST]))
    assert not inbox.empty()
    assert inbox.get() is stop
    assert inbox.empty()


def test_giving_up_tells_everybody_who_waits_and_counts_events_only() -> None:
    inbox = AuditInbox()
    told: Told = Told(b"2", Reply())
    barrier = Barrier(Reply())
    stop = Delivery("stop")
    for item in (FIRST, told, barrier, LAST):
        inbox.deliver(item)
    inbox.put(stop)

    assert inbox.give_up("audit.db") == 3

    for future in (told.reply, barrier.reply):
        with pytest.raises(UncommittedEvents):
            future.get(timeout=0)
    assert inbox.get() is stop
    assert inbox.empty()


def test_a_future_that_somebody_set_already_is_left_alone() -> None:
    future: Reply[Any] = Reply()
    future.set("theirs")
    resolve(future, "ours")
    resolve(future, uncommitted("audit.db", 1))
    assert future.get(timeout=0) == "theirs"


# -- pausing ------------------------------------------------------------------


class Untaken:
    """As much of a journal as an inbox looks at."""

    def __init__(self, untaken: int = 0) -> None:
        self.untaken = untaken
        self.waiting = False


class Pauses:
    """A flag that counts how often it was waited for, and is set by nobody else."""

    def __init__(self, inbox: AuditInbox) -> None:
        self._flag = inbox._hurried
        self.count = 0
        self.cut_short = 0

    def wait(self, timeout: float) -> bool:
        self.count += 1
        self.cut_short += self._flag.is_set()
        return self._flag.is_set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flag, name)


def pausing(untaken: int = 0, batch_max: int = 8) -> tuple[AuditInbox, Untaken, Pauses]:
    inbox: Any = AuditInbox(batch_max)
    journal, pauses = Untaken(untaken), Pauses(inbox)
    inbox.journal, inbox._hurried = journal, pauses
    return inbox, journal, pauses


@pytest.mark.parametrize("untaken", [1, 7])
def test_the_actor_pauses_before_a_batch_that_is_not_full(untaken: int) -> None:
    """Once, though there is something: more is likely to come."""
    inbox, _, pauses = pausing(untaken)
    assert inbox.get() == Delivery(Batch([]))
    assert (pauses.count, pauses.cut_short) == (1, 0)
    assert not inbox.is_hurried


@pytest.mark.parametrize("untaken", [8, 9])
def test_a_full_batch_is_taken_at_once(untaken: int) -> None:
    inbox, _, pauses = pausing(untaken)
    assert inbox.get() == Delivery(Batch([]))
    assert pauses.count == 0


def test_a_full_batch_of_buffered_events_is_taken_at_once_too() -> None:
    inbox, _, pauses = pausing()
    for _ in range(8):
        inbox.put_aside(FIRST)
    assert inbox.get() == Delivery(Batch([FIRST] * 8))
    assert pauses.count == 0


def test_what_is_put_aside_cuts_no_pause_short() -> None:
    """Nobody waits for it."""
    inbox, _, pauses = pausing()
    inbox.put_aside(FIRST)
    assert inbox.get() == Delivery(Batch([FIRST]))
    assert (pauses.count, pauses.cut_short, inbox.is_hurried) == (1, 0, False)


def test_whoever_waits_cuts_the_pause_short() -> None:
    """An ask, a flush, the stop, and a backlog that is half full."""
    ways: list[Callable[[AuditInbox], None]] = [
        lambda inbox: inbox.deliver(Told(b"{", Reply())),
        lambda inbox: inbox.deliver(Barrier(Reply())),
        lambda inbox: inbox.put(Delivery("stop")),
        lambda inbox: inbox.hurry(),
    ]
    for hurry in ways:
        inbox, _, pauses = pausing(untaken=1)
        hurry(inbox)
        inbox.get()
        assert (pauses.count, pauses.cut_short, inbox.is_hurried) == (1, 1, True)
        # A stop comes by itself, behind the batch.
        while not inbox.empty():
            inbox.get()
        inbox.get()
        assert (pauses.count, pauses.cut_short, inbox.is_hurried) == (2, 1, False)


def test_after_many_pauses_in_vain_the_actor_sleeps_until_it_is_woken() -> None:
    """Whoever tells is asked to wake it, from then on."""
    inbox, journal, pauses = pausing()
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(inbox.get()))
    thread.start()
    wait_until(lambda: journal.waiting)
    assert (pauses.count, got) == (PAUSES, [])
    inbox.put_aside(FIRST)
    thread.join(WAIT_S)
    assert got == [Delivery(Batch([FIRST]))]
    assert not journal.waiting
