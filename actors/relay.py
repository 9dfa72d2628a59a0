"""RelayActor: the AuditActor of a system whose writer is a process of its own.

All events go through the journal, which the writer follows; the actor puts the buffered ones
into it, and a thread of the `WriterProcess` answers those who wait for a commit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from pykka import ThreadingActor

from minutebook.actors.health import Vitals
from minutebook.actors.inbox import WAKE as LOOK
from minutebook.actors.inbox import AuditInbox, Barrier, Batch, resolve, uncommitted
from minutebook.actors.ledger.flag import Flag
from minutebook.actors.ledger.journal import Journal
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.reply import Reply
from minutebook.actors.writer import END, GIVE_UP, WAKE
from minutebook.actors.writer_process import WriterProcess
from minutebook.domain import errors
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import Receipt, leaf_hash, leaf_input
from minutebook.domain.errors import (
    AuditUnavailable,
    JournalError,
    LedgerUnavailable,
    MinutebookError,
)
from minutebook.domain.event import AuditEvent
from minutebook.domain.gap import described, refused
from minutebook.domain.trail_events import AuditSystemClosed

logger = logging.getLogger("minutebook.audit")

_ROOM_S: Final = 0.01
"""How often a full journal, or one with no room on the disk, is tried again."""

_END_S: Final = 5.0
"""How long the writer may take to close the ledger when all is committed."""


class RelayActor(ThreadingActor):
    """Puts buffered events into the journal, and answers who waits.

    Args:
        ledger: the host's own connection, only closed by the actor.
        encoder: the system's.
        vitals: where it notes what the writer says.
        source: the envelope's ``source`` of the actor's own events.
        journal: where all events are; deleted at the end, when all of it is committed.
        describe: what the writer is to know, but for the number where it goes on.
        started: gets ``None`` when the writer has opened the ledger, or why it did not.
    """

    use_daemon_thread = True

    def __init__(
        self,
        ledger: Ledger,
        encoder: Encoder,
        vitals: Vitals,
        *,
        source: str,
        journal: Journal,
        describe: Callable[[], dict[str, Any]],
        started: Reply[None],
    ) -> None:
        super().__init__()
        self._ledger = ledger
        self._encoder = encoder
        self._vitals = vitals
        self._source = source
        self._journal = journal
        inbox: Any = self.actor_inbox
        self._inbox: AuditInbox = inbox
        journal.hurry = lambda: inbox.put(LOOK)
        self._opened = time.monotonic()
        self._answering = threading.Lock()
        self._barriers: deque[tuple[int, Reply[None]]] = deque()
        self._progress = Flag()
        self._started = started
        self._writer = WriterProcess(
            lambda: describe() | {"seq": journal.committed_seq}, self._hear, self._note_end
        )

    @staticmethod
    def _create_actor_inbox() -> Any:
        return AuditInbox()

    def on_start(self) -> None:
        """Start the writer."""
        try:
            self._writer.start()
        except AuditUnavailable as error:
            resolve(self._started, error)
        else:
            resolve(self._started, None)

    def on_receive(self, message: Any) -> None:
        """Journal what is buffered, remember who waits, and wake the writer if somebody does."""
        assert isinstance(message, Batch), message
        awaited = self._inbox.forget_hurry() or not message.items
        for item in message.items:
            if isinstance(item, AuditEvent):
                self._vitals.uncommitted += not self._put(self._head(item))
            elif isinstance(item, Barrier):
                awaited = True
                self._wait_for(self._journal.next_seq, item.reply)
        if awaited or self._journal.waiting:
            # First: what the writer says after it was woken must stay.
            self._journal.waiting = False
            self._writer.send(WAKE)

    def on_stop(self) -> None:
        """Journal the end, have all of it committed, and end the writer."""
        journal, ledger = self._journal, self._vitals.ledger
        # BaseException: whatever goes wrong here, who waits for the end must learn of it.
        told = journal.next_seq
        try:
            self._put(self._last_words)
            self._writer.send(END)
            while journal.committed_seq < journal.next_seq and not self._vitals.give_up.is_set():
                self._progress.wait(_ROOM_S)
                self._progress.clear()
            if self._vitals.give_up.is_set():
                self._writer.send(GIVE_UP)
            self._writer.stop(_END_S)
            # Without the last words, which nobody told.
            self._vitals.uncommitted += max(0, told - journal.committed_seq)
            self._answer_rest()
            # What is not committed stays, for whoever opens the ledger next.
            journal.end(keep=journal.backlog > 0)
        except BaseException:
            logger.exception("ledger %s: closed without its audit.closed entry", ledger)
        try:
            self._ledger.close()
        except BaseException:
            logger.exception("ledger %s: could not be closed in order", ledger)
        self._vitals.stopped = True

    # -- this actor's thread --------------------------------------------------

    def _put(self, head: Callable[[int], bytes]) -> bool:
        """Journal an event, whose bytes may depend on its number; false after giving up."""
        troubled = False
        while not self._vitals.give_up.is_set():
            seq = self._journal.next_seq
            try:
                if self._journal.append_own(head(seq), seq):
                    return True
            except JournalError as error:
                if not troubled:
                    logger.error("a buffered event waits for room in the journal: %s", error)
                troubled = True
            if self._journal.next_seq == seq:
                # Not overtaken by a caller: there is no room.
                self._vitals.give_up.wait(_ROOM_S)
        return False

    def _head(self, event: AuditEvent) -> Callable[[int], bytes]:
        """Serialise a buffered event, or what stands in its place when that cannot be."""
        try:
            encoded = self._encoder.encode_head(event)
        except BaseException as error:
            logger.exception("a buffered event cannot be stored")
            self._vitals.rejected += 1
            detail = described(error)
            return lambda seq: self._encoder.encode_head(
                refused(event, source=self._source, seq=seq, detail=detail)
            )
        return lambda _: encoded

    def _last_words(self, seq: int) -> bytes:
        duration_s = round(time.monotonic() - self._opened, 6)
        return self._encoder.encode_head(
            AuditSystemClosed(source=self._source, events_told=seq + 1, duration_s=duration_s)
        )

    def _wait_for(self, seq: int, reply: Reply[None]) -> None:
        with self._answering:
            self._barriers.append((seq, reply))
        self._answer_barriers()

    # -- the writer's thread --------------------------------------------------

    def _hear(self, message: dict[str, Any]) -> None:
        if "to" in message:
            self._note_commit(message)
        elif "sleeping" in message:
            self._journal.waiting = True
            # Who told before that did not know.
            if self._journal.next_seq > message["sleeping"]:
                self._writer.send(WAKE)
        elif "busy_s" in message:
            self._vitals.note_busy(message["busy_s"])
        elif message["trouble"] is None:
            self._vitals.writer_pid = self._writer.pid
            self._vitals.note_recovery()
        else:
            kind = getattr(errors, message["kind"], LedgerUnavailable)
            self._vitals.note_trouble(kind(message["trouble"]))

    def _note_end(self, code: int) -> None:
        self._vitals.writer_pid = None
        msg = (
            f"ledger {self._vitals.ledger}: the writer's process ended (exit code {code}) and is"
            " started again; events are kept: look for who kills it."
        )
        self._vitals.note_trouble(LedgerUnavailable(msg))

    def _note_commit(self, message: dict[str, Any]) -> None:
        first, to = message["first"], message["to"]
        outcomes: list[Receipt | MinutebookError] | None = None
        runs: list[tuple[int, int, int]] = []
        if "last" in message:
            index, digest, recorded_at = message["last"]
            runs = [*message.get("before", ()), (to, index, recorded_at)]
            receipts = [Receipt(index, bytes.fromhex(digest), recorded_at)]
            self._vitals.note_outcomes(receipts, rejected=0, lost=0)
            # Of which only the last one's digest was sent.
            self._vitals.committed += to - first - 1
        else:
            outcomes = [_outcome(*each) for each in message["each"]]
            receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
            self._vitals.note_outcomes(receipts, rejected=len(outcomes) - len(receipts), lost=0)
        for seq, reply, head in self._journal.release_to(to):
            if outcomes is not None:
                resolve(reply, outcomes[seq - first])
            else:
                run_to, index, recorded_at = next(run for run in runs if seq < run[0])
                body = with_producer(head, self._journal.producer, seq)
                hashed = leaf_hash(leaf_input(recorded_at, body))
                resolve(reply, Receipt(index - (run_to - 1 - seq), hashed, recorded_at))
        self._journal.prepare()
        self._answer_barriers()
        self._progress.set()

    # -- both -----------------------------------------------------------------

    def _answer_barriers(self) -> None:
        with self._answering:
            while self._barriers and self._barriers[0][0] <= self._journal.committed_seq:
                resolve(self._barriers.popleft()[1], None)

    def _answer_rest(self) -> None:
        """Tell those who still wait that it was in vain."""
        for reply in self._journal.pending_replies():
            resolve(reply, uncommitted(self._vitals.ledger, 1))
        with self._answering:
            while self._barriers:
                _, reply = self._barriers.popleft()
                resolve(reply, uncommitted(self._vitals.ledger, self._journal.backlog))


def _outcome(*said: Any) -> Receipt | MinutebookError:
    if len(said) == 3:
        return Receipt(said[0], bytes.fromhex(said[1]), said[2])
    kind = getattr(errors, said[0], LedgerUnavailable)
    error: MinutebookError = kind(said[1])
    return error
