"""AuditActor: numbers what is told, and commits it in batches; nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from pykka import ThreadingActor

from minutebook.actors.health import Vitals
from minutebook.actors.inbox import AuditInbox, Barrier, Batch, Told, resolve, uncommitted
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.reply import Reply
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import Receipt, Record
from minutebook.domain.errors import (
    LedgerError,
    MinutebookError,
    ServiceFailure,
    UncommittedEvents,
)
from minutebook.domain.gap import substitute
from minutebook.domain.trail_events import AuditSystemClosed

logger = logging.getLogger("minutebook.audit")

RETRY_DELAY_S_MIN: Final = 0.02
"""Wait before a failed batch is tried for the second time; it doubles from there."""

RETRY_DELAY_S_MAX: Final = 2.0
"""Longest wait between two tries."""

DETAIL_CHARACTERS_MAX: Final = 2000
"""Most of an exception's text that goes into an ``audit.gap``, which must always fit."""


class _GivenUp(Exception):
    """The system is closing and its time for reaching the ledger has run out."""


class AuditActor(ThreadingActor):
    """Drains its inbox into the ledger, one transaction a batch, on its own thread.

    It survives whatever an event or the ledger does: a failing ledger keeps the batch and
    is tried again for ever, with back-off, and an event that cannot be stored costs none
    of its batch-mates.

    Args:
        ledger: owned by the actor from here on, and closed by it.
        encoder: the system's.
        vitals: where it notes how it is; names the producer. The actor numbers the events in
            the order of the inbox, which makes a hole or a repetition in the numbers
            impossible.
        source: the envelope's ``source`` of the actor's own events.
        batch_max: most events of a transaction.
    """

    use_daemon_thread = True

    def __init__(
        self,
        ledger: Ledger,
        encoder: Encoder,
        vitals: Vitals,
        *,
        source: str = "app/audit",
        batch_max: int = 512,
    ) -> None:
        super().__init__()
        inbox: Any = self.actor_inbox
        inbox.batch_max = batch_max
        self._ledger = ledger
        self._encoder = encoder
        self._vitals = vitals
        self._source = source
        self._next_seq = 0
        self._opened = time.monotonic()

    @staticmethod
    def _create_actor_inbox() -> Any:
        return AuditInbox()

    def on_receive(self, message: Any) -> None:
        """Commit a `Batch` and answer those who wait for it."""
        assert isinstance(message, Batch), message
        bodies: list[bytes] = []
        waiting: list[tuple[int, Reply[Any]]] = []
        barriers: list[Reply[None]] = []
        for item in message.items:
            if isinstance(item, Barrier):
                barriers.append(item.reply)
                continue
            if isinstance(item, Told):
                waiting.append((len(bodies), item.reply))
            head = item.head if isinstance(item, Told) else item
            bodies.append(self._numbered(head))
        self._vitals.waiting = (*(future for _, future in waiting), *barriers)
        outcomes = self._commit(bodies)
        for place, future in waiting:
            resolve(future, outcomes[place])
        # What was lost in an earlier batch was told before this barrier, too.
        lost = self._vitals.uncommitted
        for barrier in barriers:
            resolve(barrier, uncommitted(self._vitals.ledger, lost) if lost else None)
        self._vitals.waiting = ()

    def on_stop(self) -> None:
        """Record the end, and close the ledger."""
        ledger = self._vitals.ledger
        # BaseException: whatever goes wrong here, who waits for the end must learn of it.
        try:
            closed = AuditSystemClosed(
                source=self._source,
                events_told=self._next_seq + 1,
                duration_s=round(time.monotonic() - self._opened, 6),
            )
            (outcome,) = self._append([self._numbered(self._encoder.encode_head(closed))])
            if not isinstance(outcome, Receipt):
                logger.error("ledger %s: closed without its audit.closed entry", ledger)
        except BaseException:
            logger.exception("ledger %s: closed without its audit.closed entry", ledger)
        try:
            self._ledger.close()
        except BaseException:
            logger.exception("ledger %s: could not be closed in order", ledger)
        self._vitals.stopped = True

    def _numbered(self, head: bytes) -> bytes:
        body = with_producer(head, self._vitals.producer, self._next_seq)
        self._next_seq += 1
        return body

    def _commit(self, bodies: list[bytes]) -> Sequence[Receipt | MinutebookError]:
        if not bodies:
            return []
        self._vitals.note_batch(len(bodies))
        outcomes = self._append(bodies)
        receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        lost = sum(isinstance(outcome, UncommittedEvents) for outcome in outcomes)
        self._vitals.note_outcomes(
            receipts, rejected=len(outcomes) - len(receipts) - lost, lost=lost
        )
        return outcomes

    def _append(
        self, bodies: list[bytes], *, tries: int = 2
    ) -> Sequence[Receipt | MinutebookError]:
        try:
            return self._with_retries(lambda: self._ledger.append(bodies))
        except _GivenUp:
            return [uncommitted(self._vitals.ledger, 1) for _ in bodies]
        # BaseException: a panic in one of the libraries written in Rust is none of Exception,
        # and pykka would answer it by stopping every actor of the process.
        except BaseException as error:
            if len(bodies) > 1:
                return [outcome for body in bodies for outcome in self._append([body])]
            if tries > 1:
                # It may be in the ledger all the same, and then gets its receipt.
                return self._append(bodies, tries=tries - 1)
            logger.exception("ledger %s: an event could not be stored", self._vitals.ledger)
            return [self._stand_in(bodies[0], error)]

    def _stand_in(self, body: bytes, error: BaseException) -> MinutebookError:
        detail = _described(error)
        try:
            gap = substitute(Record.of(body), self._encoder, cause="unstorable", detail=detail)
            self._with_retries(lambda: self._ledger.append([gap.body]))
        except _GivenUp:
            return uncommitted(self._vitals.ledger, 1)
        except BaseException:
            logger.exception("ledger %s: not even a gap could be stored", self._vitals.ledger)
            return uncommitted(self._vitals.ledger, 1)
        return ServiceFailure(
            f"the ledger could not store the event ({detail}); an audit.gap stands in its"
            " place: look at the log of minutebook.audit."
        )

    def _with_retries(
        self, append: Callable[[], Sequence[Receipt | MinutebookError]]
    ) -> Sequence[Receipt | MinutebookError]:
        delay_s = RETRY_DELAY_S_MIN
        # Once given up, no further try: a busy file would take its whole timeout each time.
        while not self._vitals.give_up.is_set():
            try:
                outcomes = append()
            except LedgerError as error:
                self._vitals.note_trouble(error)
                self._vitals.give_up.wait(delay_s)
                delay_s = min(delay_s * 2, RETRY_DELAY_S_MAX)
            else:
                self._vitals.note_recovery()
                return outcomes
        raise _GivenUp


def _described(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:DETAIL_CHARACTERS_MAX]
    except Exception:  # noqa: BLE001 - its text is broken, the event still needs its gap
        return type(error).__name__
