"""The caller's side of the AuditActor: tell, ask, flush."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from orjson import OPT_UTC_Z, dumps
from pykka import Future, Timeout

from minutebook.actors.inbox import WAKE, AuditInbox, Barrier, Told
from minutebook.actors.reply import Reply
from minutebook.domain.encoding import BACKSLASH, Encoder
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import AuditBacklogFull, FlushTimeout, InvalidEvent
from minutebook.domain.event import DELIVERIES, AuditEvent, Delivery
from minutebook.domain.plain import are_marked, marked_part, plain_part
from minutebook.domain.surrogates import ESCAPE_IN_JSON

if TYPE_CHECKING:
    from minutebook.actors.ledger.journal import Journal


_Plan = tuple[
    str,
    Callable[..., bool],
    tuple[str, ...],
    Callable[[], list[type]],
    Callable[[object], Any],
    int,
    int,
]
"""What is to be done with a class's events: delivery, journal, and their shape."""


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
        self._encoder = encoder
        self._delivery = delivery
        self._backlog_max = backlog_max
        self._hurry_from = (backlog_max + 1) // 2
        self._block_timeout_s = block_timeout_s
        self._revive: Callable[[], None] | None = None
        self.connect(inbox, journal)

    def connect(self, inbox: AuditInbox, journal: Journal | None) -> None:
        """Hand over to these from here on."""
        self._inbox = inbox
        self._journal = journal
        self._refused = 0
        self._append = self._deliver_head if journal is None else journal.append
        self._waiting_count = inbox.size
        self._plans: dict[type[AuditEvent], _Plan] = {}
        # Last: whoever sees this may use the others.
        self._revive = None

    @property
    def refused(self) -> int:
        """How many events were not taken because too much waited for the ledger."""
        return self._refused + (0 if self._journal is None else self._journal.refused)

    def leave(self, revive: Callable[[], None]) -> None:
        """Take nothing before `connect`, in a forked child.

        Args:
            revive: called by whoever tells, asks or flushes next; calls `connect`, or raises.
        """
        # Without plans each event is the first of its class: `tell` looks there only.
        self._plans = {}
        self._revive = revive

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
        # Every call of a function counts here, and so `flatten` is written out.
        try:
            plan = self._plans[type(event)]
        except KeyError:
            self._tell_first(event, delivery)
            return
        chosen = plan[0] if delivery is None else delivery
        if chosen == "buffered":
            if self._waiting_count() >= self._hurry_from:
                self._wait_for_room()
            self._inbox.put_aside(event)
        elif chosen == "journaled":
            _, append, floats, subclasses, part, field_count, bytes_max = plan
            fields = event.__dict__
            if len(fields) == field_count:
                try:
                    if floats:
                        for name in floats:
                            if (value := fields[name]) is not None and not isfinite(value):
                                raise TypeError
                    if subclasses():
                        self._tell_first(event, delivery)
                        return
                    flat = dumps(fields, part, OPT_UTC_Z)
                except (TypeError, OverflowError):
                    pass
                else:
                    if len(flat) <= bytes_max and (
                        BACKSLASH not in flat or ESCAPE_IN_JSON not in flat
                    ):
                        if append(flat):
                            self._inbox.put(WAKE)
                        return
            if self._append(self._encoder.encode_head(event)):
                self._inbox.put(WAKE)
        elif chosen == "committed":
            self.ask(event).get()
        else:
            raise InvalidEvent(f"delivery {chosen!r} is unknown; use one of {DELIVERIES}.")

    def _tell_first(self, event: AuditEvent, delivery: Delivery | None) -> None:
        if self._revive is not None:
            self._revive()
        cls = type(event)
        shape = self._encoder.shape_of(cls)
        marked = are_marked(shape.parts)
        self._plans[cls] = (
            getattr(cls, "delivery", None) or self._delivery,
            self._append if self._journal is None else self._journal.appender(shape.preface),
            shape.floats,
            _subclasses_of(shape.parts) if marked else list,
            marked_part if marked else plain_part,
            shape.field_count if self._journal is not None else -1,
            shape.flat_bytes_max,
        )
        self.tell(event, delivery)

    def _deliver_head(self, head: bytes) -> bool:
        """Stand in for the journal's append where there is none."""
        self._deliver(Told(head, Reply()))
        return False

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
        return self.ask_head(self._encoder.encode_head(event))

    def ask_head(self, head: bytes) -> Future[Receipt]:
        """Hand over what `Encoder.encode_head` has made of an event; else like `ask`."""
        if self._revive is not None:
            self._revive()
        reply: Reply[Receipt] = Reply()
        if self._journal is None:
            self._deliver(Told(head, reply))
        else:
            self._journal.append_asked(head, reply)
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
        if self._revive is not None:
            self._revive()
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
        self._inbox.hurry()
        deadline = time.monotonic() + self._block_timeout_s
        while len(self._inbox) >= self._backlog_max:
            if time.monotonic() >= deadline:
                msg = (
                    f"{len(self._inbox):,} events wait for the ledger, and waiting"
                    f" {self._block_timeout_s} s has made no room; the event was not taken:"
                    " look at health(), and tell it again."
                )
                self._refused += 1
                raise AuditBacklogFull(msg)
            time.sleep(0.001)


def _subclasses_of(classes: Sequence[type]) -> Callable[[], list[type]]:
    """Return what finds the classes derived from some; written in C for one or none."""
    if len(classes) <= 1:
        return classes[0].__subclasses__ if classes else list

    def of_all() -> list[type]:
        found: list[type] = []
        for cls in classes:
            found += cls.__subclasses__()
        return found

    return of_all
