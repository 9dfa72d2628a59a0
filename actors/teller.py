"""The caller's side of the AuditActor: tell, ask, flush."""

from __future__ import annotations

from pykka import Future, Timeout

from minutebook.actors.inbox import AuditInbox, Barrier, Told
from minutebook.actors.reply import Reply
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import FlushTimeout
from minutebook.domain.event import AuditEvent


class Teller:
    """Hands events to the AuditActor; any thread may use it, a signal handler too.

    The event is serialised here, in the caller: what cannot be stored raises at once and
    costs nobody else anything, and later changes to lists in the event change nothing.

    Args:
        inbox: the AuditActor's.
        encoder: the system's.
    """

    def __init__(self, inbox: AuditInbox, encoder: Encoder) -> None:
        self._inbox = inbox
        self._deliver = inbox.deliver
        self._encode = encoder.encode_head

    def tell(self, event: AuditEvent) -> None:
        """Hand over an event and return at once; it is committed soon, and before a close.

        Raises:
            InvalidEvent: it cannot be stored; nothing was taken.
            AuditClosed: the system is closed; nothing was taken.
        """
        self._deliver(self._encode(event))

    def ask(self, event: AuditEvent) -> Future[Receipt]:
        """Hand over an event, and get a future that resolves after its commit.

        The future raises `DuplicateEvent` when the ledger has its id with other content.

        Raises:
            InvalidEvent: it cannot be stored; nothing was taken.
            AuditClosed: the system is closed; nothing was taken.
        """
        reply: Reply[Receipt] = Reply()
        self._deliver(Told(self._encode(event), reply))
        return reply

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
            msg = (
                f"not everything was committed within {timeout} s, {len(self._inbox)} wait;"
                " nothing is lost: look at health(), and flush again."
            )
            raise FlushTimeout(msg) from None
