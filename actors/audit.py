"""AuditActor: numbers what is told, and commits it in batches; nothing else."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pykka import ThreadingActor

from minutebook.actors.committer import Committer
from minutebook.actors.health import Vitals
from minutebook.actors.inbox import (
    BATCH_MAX,
    AuditInbox,
    Barrier,
    Batch,
    Told,
    resolve,
    uncommitted,
)
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.opened import describe_process
from minutebook.actors.reply import Reply
from minutebook.actors.unhurried import be_unhurried
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import MinutebookError
from minutebook.domain.event import AuditEvent
from minutebook.domain.gap import described, refused
from minutebook.domain.trail_events import AuditSystemClosed

if TYPE_CHECKING:
    from minutebook.actors.ledger.journal import Journal

logger = logging.getLogger("minutebook.audit")

GIVING_WAY_MAX: Final = 128
"""Most events that are taken in small steps, which take 0.2 ms each: of what is told faster than
some 3,000 times a second there are more."""

GIVING_WAY_S: Final = 20e-6
"""How long the actor gives way after each step. The kernel makes 70 us of it: enough for whoever
waits for the interpreter to wake up and get it."""


class AuditActor(ThreadingActor):
    """Takes what is in the journal and in its inbox to the ledger, one transaction a batch.

    It survives whatever an event or the ledger does: a failing ledger keeps the batch and
    is tried again for ever, with back-off, and an event that cannot be stored costs none
    of its batch-mates.

    What was journaled before an item came into the inbox is committed before it.

    Args:
        ledger: owned by the actor from here on, and closed by it.
        encoder: the system's.
        vitals: where it notes how it is; names the producer of what comes by the inbox. The
            actor numbers those events in the order of the inbox, which makes a hole or a
            repetition in the numbers impossible.
        source: the envelope's ``source`` of the actor's own events.
        batch_max: most events of a transaction.
        journal: where journaled events are; numbers its own, as another producer. Deleted by
            the actor at the end, when all of it is committed.
    """

    use_daemon_thread = True

    def __init__(
        self,
        ledger: Ledger,
        encoder: Encoder,
        vitals: Vitals,
        *,
        source: str = "app/audit",
        batch_max: int = BATCH_MAX,
        journal: Journal | None = None,
    ) -> None:
        super().__init__()
        inbox: Any = self.actor_inbox
        inbox.batch_max = batch_max
        inbox.journal = journal
        if journal is not None:
            journal.hurry = inbox.hurry
        self._inbox: AuditInbox = inbox
        self._ledger = ledger
        self._committer = Committer(ledger, encoder, vitals)
        self._encoder = encoder
        self._vitals = vitals
        self._source = source
        self._batch_max = batch_max
        self._journal = journal
        self._producer = vitals.producer if journal is None else secrets.token_hex(16)
        self._next_seq = 0
        self._opened = time.monotonic()

    @staticmethod
    def _create_actor_inbox() -> Any:
        return AuditInbox()

    def on_start(self) -> None:
        """Let whoever tells go first, where the kernel can do that for a thread."""
        be_unhurried()

    def on_receive(self, message: Any) -> None:
        """Commit what is journaled, and a `Batch`, and answer those who wait for it."""
        assert isinstance(message, Batch), message
        journal = self._journal
        # Whatever was journaled before one of the items came, and no more: this must end.
        until = 0 if journal is None else journal.next_seq
        taken: list[bytes] = []
        replies: dict[int, Any] = {}
        count = len(message.items) + (0 if journal is None else until - journal.taken_seq)
        give_way = self._give_way if count <= GIVING_WAY_MAX else None
        while journal is not None:
            taken, replies = journal.take(min(until - journal.taken_seq, self._batch_max), give_way)
            if journal.taken_seq >= until:
                break
            self._commit_taken(journal, taken, replies)
        bodies = list(taken)
        barriers: list[Reply[None]] = []
        for item in message.items:
            if give_way is not None:
                give_way()
            if isinstance(item, Barrier):
                barriers.append(item.reply)
                continue
            bodies.extend(self._numbered(item.head if isinstance(item, Told) else self._head(item)))
            if isinstance(item, Told):
                replies[len(bodies) - 1] = item.reply
        self._vitals.waiting = (*replies.values(), *barriers)
        outcomes = self._committer.commit(bodies, journaled=len(taken), give_way=give_way)
        self._answer(replies, outcomes)
        if journal is not None:
            self._release(journal)
        # What was lost in an earlier batch was told before this barrier, too.
        lost = self._vitals.uncommitted
        for barrier in barriers:
            resolve(barrier, uncommitted(self._vitals.ledger, lost) if lost else None)
        self._vitals.waiting = ()

    def _give_way(self) -> None:
        if not self._inbox.is_hurried:
            time.sleep(GIVING_WAY_S)

    def _commit_taken(
        self, journal: Journal, bodies: list[bytes], replies: Mapping[int, Any]
    ) -> None:
        self._vitals.waiting = tuple(replies.values())
        self._answer(replies, self._committer.commit(bodies, journaled=len(bodies)))
        self._release(journal)

    def _release(self, journal: Journal) -> None:
        # After giving up nothing is known to be committed: the journal keeps it all.
        if not self._vitals.give_up.is_set():
            journal.release()
            journal.prepare()

    def _answer(
        self, replies: Mapping[int, Any], outcomes: Sequence[Receipt | MinutebookError]
    ) -> None:
        for place, reply in replies.items():
            resolve(reply, outcomes[place])

    def _head(self, event: AuditEvent) -> bytes:
        """Serialise a buffered event, or what stands in its place when that cannot be."""
        try:
            return self._encoder.encode_head(event)
        except BaseException as error:
            logger.exception("a buffered event cannot be stored")
            self._vitals.rejected += 1
            gap = refused(event, source=self._source, seq=self._next_seq, detail=described(error))
            return self._encoder.encode_head(gap)

    def on_stop(self) -> None:
        """Commit the rest, record the end, sign it, and close the ledger and the journal."""
        ledger = self._vitals.ledger
        # BaseException: whatever goes wrong here, who waits for the end must learn of it.
        try:
            journal = self._journal
            while journal is not None and journal.untaken:
                self._commit_taken(journal, *journal.take(self._batch_max))
            outcomes = self._committer.append(self._last_words())
            if not all(isinstance(outcome, Receipt) for outcome in outcomes):
                logger.error("ledger %s: closed without its audit.closed entry", ledger)
            if journal is not None:
                # What is not committed stays, for whoever opens the ledger next.
                journal.end(keep=journal.backlog > 0)
        except BaseException:
            logger.exception("ledger %s: closed without its audit.closed entry", ledger)
        try:
            if not self._vitals.give_up.is_set():
                self._ledger.checkpoint()
        except BaseException:
            logger.exception("ledger %s: closed without a last checkpoint", ledger)
        try:
            self._ledger.close()
        except BaseException:
            logger.exception("ledger %s: could not be closed in order", ledger)
        self._vitals.stopped = True

    def _last_words(self) -> list[bytes]:
        told = {self._producer: self._next_seq}
        if self._journal is not None:
            # Of the two, the journal's producer speaks last, and the other if it spoke at all.
            told = {name: count for name, count in told.items() if count}
            told[self._journal.producer] = self._journal.next_seq
        duration_s = round(time.monotonic() - self._opened, 6)
        return [
            with_producer(
                self._encoder.encode_head(
                    AuditSystemClosed(
                        source=self._source, events_told=count + 1, duration_s=duration_s
                    )
                ),
                producer,
                count,
            )
            for producer, count in told.items()
        ]

    def _numbered(self, head: bytes) -> list[bytes]:
        heads = [head]
        if self._next_seq == 0 and self._journal is not None:
            heads.insert(0, self._encoder.encode_head(describe_process(self._source)))
        bodies = [
            with_producer(head, self._producer, seq)
            for seq, head in enumerate(heads, self._next_seq)
        ]
        self._next_seq += len(bodies)
        return bodies
