"""Entering events in transactions of one's own, as a producer of one's own, without a journal.

What is done to a ledger and the event that tells it must be one transaction, which the trail of a
system, with its journal and its batches, cannot offer.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.transactions import transaction
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import Entry, Receipt
from minutebook.domain.event import AuditEvent


class Clerk:
    """Enters events in a ledger; used by one thread at a time.

    Args:
        ledger: the ledger; belongs to the caller.
        encoder: makes the stored bytes.
        source: the envelope's ``source`` of what it enters.
    """

    def __init__(self, ledger: SqliteLedger, encoder: Encoder, source: str) -> None:
        self.ledger = ledger
        """Where it enters."""
        self.source = source
        """What its events say."""
        self._encoder = encoder
        self._begin()

    def _begin(self) -> None:
        self.producer = secrets.token_hex(16)
        """Its id in the ledger."""
        self._seq = 0
        self.ledger.sign_as(self.producer)

    def enter(self, event: AuditEvent) -> Receipt:
        """Enter one event, and return when it is durable.

        Raises:
            InvalidEvent: it cannot be stored.
            LedgerError: the ledger cannot be written.
        """
        with self.turn() as connection, self.deed(connection):
            entry = self.told(event)
        return Receipt(entry.log_index, entry.leaf_hash, entry.recorded_at)

    @contextmanager
    def turn(self) -> Iterator[apsw.Connection]:
        """Have the ledger's turn; raises `LedgerError`."""
        with self.ledger.turn() as connection:
            yield connection

    @contextmanager
    def deed(self, connection: apsw.Connection) -> Iterator[None]:
        """Have a transaction for something, and the event that tells it; in a turn."""
        before = self._seq
        try:
            with transaction(connection):
                yield
        except BaseException:
            # Whether it was committed may be unknown: nobody goes on with its numbers.
            if self._seq != before:
                self._begin()
            raise

    def told(self, event: AuditEvent) -> Entry:
        """Add an event to the transaction of a `deed`."""
        head = self._encoder.encode_head(event)
        (entry,) = self.ledger.enter([with_producer(head, self.producer, self._seq)])
        self._seq += 1
        return entry
