"""The outbox: state and event in one transaction, and the event told after it, for sure.

An actor that changes its state and then tells of it can be killed between the two. So the
event's bytes are written into the app database in the very transaction that changes the
state, and the row is deleted only when the event is known to be in the ledger. What a
process leaves when it dies is told by whoever finds it next, under the same id and with the
same bytes, unless it is in the ledger already.

A change that is made outside the database (a file, a work tree) cannot be in its
transaction. There an `Intent` is committed before, with what its actor needs to decide
afterwards whether the change was made; it becomes an event, or is dropped, in a transaction.

Whose rows are whose: a row belongs to the system whose ``producer`` it names. Rows of a
producer that is gone are taken over, in one transaction, by giving them the producer of who
takes them; from then on they are that one's as if it had written them. A producer is gone
when all that it had journaled is in the ledger and its journal is deleted: only then can
the ledger tell what it had told.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pykka import Future, Timeout

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.recording import Intent, Recording, Trail, Written
from minutebook.domain.context import Binding
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import (
    AuditBacklogFull,
    AuditClosed,
    JournalError,
    MinutebookError,
    UncommittedEvents,
)

logger = logging.getLogger("minutebook.outbox")

UNTOLD_MAX: Final = 100
"""Most events of an actor that the trail has not taken before it does nothing more."""


class Outbox:
    """One actor's events on their way from the app database to the trail.

    Used by the actor's thread, and by the system's when that has ended.

    Args:
        database: the actor's own connection.
        actor: the actor's name: rows of others are none of its business.
        trail: the system's.
    """

    def __init__(self, database: AppDatabase, actor: str, trail: Trail) -> None:
        self.database = database
        """Where the actor's state is, too."""
        self.actor = actor
        """Whose it is."""
        self._trail = trail
        # In order, both: what the trail has taken, and what it has not.
        self._told: deque[tuple[str, Future[Receipt]]] = deque()
        self._untold: deque[Written] = deque()

    @property
    def producer(self) -> str:
        """The system's: what it writes into rows that are its own."""
        return self._trail.producer

    def is_gone(self, producer: str) -> bool:
        """Tell whether another system has ended, and all that it told is in the ledger."""
        return producer != self._trail.producer and self._trail.is_gone(producer)

    @contextmanager
    def recorded(self) -> Iterator[Recording]:
        """Change state and tell of it: all that the block does and says, or nothing of it.

        The events are told when the block has been committed. Should the trail refuse them
        then, they stay, and are told with the actor's next change, by the next look after the
        outbox, at the end, or by whoever opens the ledger next.

        Raises:
            AppDatabaseError: the database cannot be written; nothing was done.
            AuditBacklogFull: too many events of earlier changes wait; nothing was done.
            UncommittedEvents: it was done, and its event, which is to be committed before
                this returns, is not known to be; it is kept, and told later.
        """
        self._refuse_when_full()
        settled = self._settled()
        recording = Recording(self.database, self.actor, self._trail)
        with self.database.transaction():
            self._delete(settled)
            yield recording
        self._forget(settled)
        self._untold.extend(recording.written)
        self._tell_untold()
        self._wait_for([event.event_id for event in recording.written if event.waits])

    def catch_up(self) -> None:
        """Tell what was not told, here or by systems that are gone, and delete what is settled.

        Raises:
            AppDatabaseError, LedgerError: one of the files cannot be used; all stays.
        """
        self._take_over()
        self._tell_untold()
        self.clear(self.database)

    def has_intents(self) -> bool:
        """Tell whether the actor, here or in another process, has begun something outside."""
        return self.database.row("SELECT 1 FROM intents WHERE actor = ?", (self.actor,)) is not None

    def orphans(self, is_orphan: Callable[[str], bool] | None = None) -> list[Intent]:
        """Take over the intents that nobody is about to end, oldest first.

        The actor's own are among them: between two commands it is about to end none.

        Args:
            is_orphan: whether those of another producer are to be taken; when it is gone, if
                not given.

        Raises:
            AppDatabaseError: the database cannot be used.
        """
        taken = is_orphan or self._trail.is_gone
        others = self._producers("intents", taken)
        if others:
            with self.database.transaction():
                self.database.execute(
                    "UPDATE intents SET producer = ? WHERE actor = ?"
                    " AND producer IN (SELECT value FROM json_each(?))",
                    (self._trail.producer, self.actor, json.dumps(others)),
                )
        rows = self.database.rows(
            "SELECT intent_id, kind, binding, detail, head FROM intents"
            " WHERE actor = ? AND producer = ? ORDER BY rowid",
            (self.actor, self._trail.producer),
        )
        return [
            Intent(
                row["intent_id"],
                row["kind"],
                Binding(**json.loads(row["binding"])),
                json.loads(row["detail"]),
                row["head"],
            )
            for row in rows
        ]

    def close(self) -> None:
        """Try once more to tell what was not told, and close the database."""
        try:
            self._tell_untold()
        finally:
            self.database.close()

    def has_settled(self) -> bool:
        """Tell whether there is something to `clear`."""
        return bool(self._settled())

    def clear(self, database: AppDatabase) -> None:
        """Delete what is settled.

        Args:
            database: a connection: the outbox's own, or another one when that is closed.
        """
        settled = self._settled()
        if settled:
            database.execute(_DELETE, (json.dumps(settled),))
            self._forget(settled)

    def _refuse_when_full(self) -> None:
        if len(self._untold) < UNTOLD_MAX:
            return
        self._tell_untold()
        if len(self._untold) >= UNTOLD_MAX:
            msg = (
                f"{len(self._untold)} events of earlier changes wait for the trail; nothing was"
                " done: look at health(), and try again when it says ok."
            )
            raise AuditBacklogFull(msg)

    def _tell_untold(self) -> None:
        while self._untold:
            event = self._untold[0]
            try:
                future = self._trail.teller.ask_head(event.head)
            except (AuditBacklogFull, AuditClosed, JournalError) as error:
                logger.warning(
                    "%s: %d events wait in the outbox, for the trail does not take them: %s",
                    self.actor,
                    len(self._untold),
                    error,
                )
                return
            self._untold.popleft()
            self._told.append((event.event_id, future))

    def _wait_for(self, event_ids: list[str]) -> None:
        for event_id in event_ids:
            future = next((future for told, future in self._told if told == event_id), None)
            if future is None:
                msg = (
                    "it was done, and its event is kept, but the trail does not take it now: it"
                    " is recorded as soon as that can be; look at health()."
                )
                raise UncommittedEvents(msg, count=1)
            future.get()

    def _settled(self) -> list[str]:
        """Return the ids of the events whose rows are of no more use, oldest first."""
        settled = []
        for event_id, future in self._told:
            try:
                future.get(timeout=0)
            except (Timeout, UncommittedEvents):
                break
            except MinutebookError as error:
                # An audit.gap stands in the event's place: telling it again would change nothing.
                logger.error("%s: an event was not stored: %s", self.actor, error)
            settled.append(event_id)
        return settled

    def _delete(self, event_ids: list[str]) -> None:
        if event_ids:
            self.database.execute(_DELETE, (json.dumps(event_ids),))

    def _forget(self, event_ids: list[str]) -> None:
        for _ in event_ids:
            self._told.popleft()

    def _producers(self, table: str, wanted: Callable[[str], bool]) -> list[str]:
        rows = self.database.rows(
            f"SELECT DISTINCT producer FROM {table} WHERE actor = ? AND producer <> ?",
            (self.actor, self._trail.producer),
        )
        return [row["producer"] for row in rows if wanted(row["producer"])]

    def _take_over(self) -> None:
        gone = self._producers("outbox", self._trail.is_gone)
        if not gone:
            return
        with self.database.transaction():
            rows = self.database.rows(
                "SELECT event_id FROM outbox WHERE actor = ?"
                " AND producer IN (SELECT value FROM json_each(?)) ORDER BY rowid",
                (self.actor, json.dumps(gone)),
            )
            ids = [row["event_id"] for row in rows]
            # Within the transaction: nobody else can take them over and tell them meanwhile.
            recorded = self._trail.recorded(ids)
            self._delete([event_id for event_id in ids if event_id in recorded])
            missing = json.dumps([event_id for event_id in ids if event_id not in recorded])
            self.database.execute(
                "UPDATE outbox SET producer = ? WHERE event_id IN (SELECT value FROM json_each(?))",
                (self._trail.producer, missing),
            )
            taken = self.database.rows(
                "SELECT event_id, head FROM outbox"
                " WHERE event_id IN (SELECT value FROM json_each(?)) ORDER BY rowid",
                (missing,),
            )
        self._untold.extend(Written(row["event_id"], row["head"], waits=False) for row in taken)
        if ids:
            logger.warning(
                "%s: of %d events in the outbox of systems that died (%s), %d were not in the"
                " ledger, and are told again",
                self.actor,
                len(ids),
                ", ".join(gone),
                len(taken),
            )


_DELETE: Final = "DELETE FROM outbox WHERE event_id IN (SELECT value FROM json_each(?))"
