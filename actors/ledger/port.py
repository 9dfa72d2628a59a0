"""What the AuditActor asks of a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from minutebook.actors.ledger.steps import GiveWay
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import DuplicateEvent


class Ledger(Protocol):
    """An append-only sequence of entries; used by one thread at a time.

    One suite of contract tests runs on every implementation (tests/contract).
    """

    def append(
        self, bodies: Sequence[bytes], give_way: GiveWay | None = None
    ) -> list[Receipt | DuplicateEvent]:
        """Commit a batch as one transaction: all of it, in order, or none.

        Returns only when the batch is durable. Entries get consecutive indexes.

        An id that the ledger has already is not entered again. When the very same bytes
        are there, the batch is being retried: the existing receipt is returned. When type
        and payload agree, an ``audit.gap`` takes the place in the producer's sequence and
        the existing receipt is returned. Otherwise the same, and a `DuplicateEvent` is
        returned.

        Args:
            bodies: stored bytes, as `minutebook.domain.encoding.with_producer` returns them.
            give_way: called now and then meanwhile, also within the transaction; it may sleep for
                a moment.

        Returns:
            For each body its receipt, or why it was not entered.

        Raises:
            LedgerUnavailable: nothing was committed, or it is unknown whether; append the
                same batch again later.
            LedgerError: of another kind: trying again is of no use before somebody helps.
        """
        ...

    def next_index(self) -> int:
        """Return how many entries there are: the index that the next one gets.

        Raises:
            LedgerError: it cannot be read.
        """
        ...

    def checkpoint(self) -> None:
        """Sign the ledger as it is, if it signs, and if anything was added since the last time.

        That it cannot sign is logged: what is committed stays committed.

        Raises:
            LedgerError: the ledger cannot be used.
        """
        ...

    def close(self) -> None:
        """Give back what the ledger holds; harmless when it was closed before."""
        ...

    def leave(self) -> None:
        """Let go of its locks, and touch nothing else: in a forked child, while the parent,
        to whom the ledger belongs, goes on.
        """
        ...

    def renew(self) -> None:
        """Go on, after `leave` or `close`, with locks and connections of the child's own.

        Waits for no other process.

        Raises:
            LedgerError: it cannot be used here, or now.
        """
        ...
