"""The caller's side of the AuditActor: tell, ask, flush."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pykka import Future, Timeout

from minutebook.actors.inbox import WAKE, AuditInbox, Barrier, Told
from minutebook.actors.reply import Reply
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import AuditBacklogFull, FlushTimeout, InvalidEvent
from minutebook.domain.event import DELIVERIES, AuditEvent, Delivery

if TYPE_CHECKING:
    from minutebook.actors.ledger.journal import Journal


class Teller:
    """Hands events to the AuditActor; any thread may use it, a signal handler too.

    The event is serialised here, in the caller, unless it is buffered: what cannot be stored
    raises at once and costs nobody else anything, and later changes to lists in the event
    change nothing.

    Args:
        inbox: the AuditActor's.
        encoder: the system's.
        journal: the system's; without one, ``journaled`` is no more than ``buffered``.
        delivery: what events get that ask for nothing else.
        backlog_max: most buffered events that wait.
        block_timeout_s: how long a caller waits at that limit; 0 to refuse at once.
    """

    def __init__(
        self,
        inbox: AuditInbox,
        encoder: Encoder,
        journal: Journal | None = None,
        *,
        delivery: Delivery = "journaled",
        backlog_max: int = 100_000,
        block_timeout_s: float = 5.0,
    ) -> None:
        self._inbox = inbox
        self._encode = encoder.encode_head
        self._journal = journal
        self._delivery = delivery
        self._backlog_max = backlog_max
        self._block_timeout_s = block_timeout_s

    def tell(self, event: AuditEvent, delivery: Delivery | None = None) -> None:
        """Hand over an event, and return as soon as its delivery class says.

        ========== =============================== ==========================================
        class      returns when                    survives
        ========== =============================== ==========================================
        buffered   it is in the actor's inbox      exceptions, a clean end
        journaled  its bytes are in the journal    also SIGKILL, a crash of the process
        committed  it is committed                 also a power failure
        ========== =============================== ==========================================

        Args:
            delivery: for this call; else that of the event's class, else that of the system.

        Raises:
            InvalidEvent: it cannot be stored; nothing was taken.
            AuditClosed: the system is closed; nothing was taken.
            AuditBacklogFull: too much waits for the ledger; nothing was taken.
            JournalError: the disk has no room for the journal; nothing was taken.
        """
        chosen = delivery or getattr(type(event), "delivery", None) or self._delivery
        if chosen == "journaled":
            journal = self._journal
            if journal is None:
                self._deliver(Told(self._encode(event), Reply()))
            elif journal.append(self._encode(event)):
                self._inbox.put(WAKE)
        elif chosen == "buffered":
            if not isinstance(event, AuditEvent):
                self._encode(event)
            self._deliver(event)
        elif chosen == "committed":
            self.ask(event).get()
        else:
            raise InvalidEvent(f"delivery {chosen!r} is unknown; use one of {DELIVERIES}.")

    def tell_all(self, events: Iterable[AuditEvent], delivery: Delivery | None = None) -> None:
        """Tell many events, in order; the first that is refused ends it with its error.

        With ``committed`` it waits once, for all of them.
        """
        if delivery == "committed":
            for reply in [self.ask(event) for event in events]:
                reply.get()
            return
        for event in events:
            self.tell(event, delivery)

    def ask(self, event: AuditEvent) -> Future[Receipt]:
        """Hand over an event, and get a future that resolves after its commit.

        The future raises `DuplicateEvent` when the ledger has its id with other content.

        Raises:
            InvalidEvent: it cannot be stored; nothing was taken.
            AuditClosed: the system is closed; nothing was taken.
            AuditBacklogFull: too much waits for the ledger; nothing was taken.
        """
        return self.ask_head(self._encode(event))

    def ask_head(self, head: bytes) -> Future[Receipt]:
        """Hand over what `Encoder.encode_head` has made of an event; else like `ask`."""
        reply: Reply[Receipt] = Reply()
        if self._journal is None:
            self._deliver(Told(head, reply))
        else:
            self._journal.append(head, reply)
            self._inbox.put(WAKE)
        return reply

    def waits(self, event_class: type[AuditEvent]) -> bool:
        """Tell whether the `tell` of an event of this class returns only after its commit."""
        return (getattr(event_class, "delivery", None) or self._delivery) == "committed"

    async def committed(self, event: AuditEvent) -> Receipt:
        """Tell an event from a coroutine, and wait for its commit without blocking the loop."""
        return await self.ask(event)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all that was told before is committed.

        Args:
            timeout: seconds; ``None`` waits as long as it takes.

        Raises:
            FlushTimeout: it is not, yet.
            AuditClosed: the system is closed.
        """
        reply: Reply[None] = Reply()
        self._inbox.deliver(Barrier(reply))
        try:
            reply.get(timeout=timeout)
        except Timeout:
            backlog = len(self._inbox)
            if self._journal is not None:
                backlog += self._journal.backlog
            msg = (
                f"not everything was committed within {timeout} s, {backlog} wait;"
                " nothing is lost: look at health(), and flush again."
            )
            raise FlushTimeout(msg) from None

    def _deliver(self, item: Any) -> None:
        if len(self._inbox) >= self._backlog_max:
            self._wait_for_room()
        self._inbox.deliver(item)

    def _wait_for_room(self) -> None:
        deadline = time.monotonic() + self._block_timeout_s
        while len(self._inbox) >= self._backlog_max:
            if time.monotonic() >= deadline:
                msg = (
                    f"{len(self._inbox):,} events wait for the ledger, and waiting"
                    f" {self._block_timeout_s} s has made no room; the event was not taken:"
                    " look at health(), and tell it again."
                )
                raise AuditBacklogFull(msg)
            time.sleep(0.001)
