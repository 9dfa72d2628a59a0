"""Committing batches whatever the ledger does: kept, tried again, no event holding up another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from minutebook.actors.health import Vitals
from minutebook.actors.inbox import uncommitted
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.steps import GiveWay
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Receipt, Record
from minutebook.domain.errors import (
    LedgerError,
    MinutebookError,
    ServiceFailure,
    UncommittedEvents,
)
from minutebook.domain.gap import described, substitute

logger = logging.getLogger("minutebook.audit")

RETRY_DELAY_S_MIN: Final = 0.02
"""Wait before a failed batch is tried for the second time; it doubles from there."""

RETRY_DELAY_S_MAX: Final = 2.0
"""Longest wait between two tries."""


class _GivenUp(Exception):
    """The system is closing and its time for reaching the ledger has run out."""


class Committer:
    """Takes bodies to a ledger, for one thread.

    A failing ledger keeps the batch and is tried again for ever, with back-off, until
    `Vitals.give_up` is set; an event that cannot be stored costs none of its batch-mates.

    Args:
        ledger: where they go.
        encoder: writes the ``audit.gap`` that takes the place of what cannot be stored.
        vitals: where it notes how it is.
    """

    def __init__(self, ledger: Ledger, encoder: Encoder, vitals: Vitals) -> None:
        self._ledger = ledger
        self._encoder = encoder
        self._vitals = vitals

    def commit(
        self, bodies: list[bytes], *, journaled: int, give_way: GiveWay | None = None
    ) -> Sequence[Receipt | MinutebookError]:
        """Commit a batch, and note how that ended.

        Args:
            bodies: stored bytes.
            journaled: how many of them are in the journal, too.
            give_way: see `minutebook.actors.ledger.port.Ledger.append`.

        Returns:
            For each body its receipt, or what became of it instead.
        """
        if not bodies:
            return []
        self._vitals.note_batch(len(bodies), journaled=journaled)
        outcomes = self.append(bodies, give_way=give_way)
        receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        lost = sum(isinstance(outcome, UncommittedEvents) for outcome in outcomes)
        self._vitals.note_outcomes(
            receipts, rejected=len(outcomes) - len(receipts) - lost, lost=lost
        )
        return outcomes

    def append(
        self, bodies: list[bytes], *, tries: int = 2, give_way: GiveWay | None = None
    ) -> Sequence[Receipt | MinutebookError]:
        """Commit a batch; as `commit`, and notes nothing but trouble."""
        try:
            return self._with_retries(lambda: self._ledger.append(bodies, give_way))
        except _GivenUp:
            return [uncommitted(self._vitals.ledger, 1) for _ in bodies]
        # BaseException: a panic in one of the libraries written in Rust is none of Exception,
        # and pykka would answer it by stopping every actor of the process.
        except BaseException as error:
            if len(bodies) > 1:
                return [outcome for body in bodies for outcome in self.append([body])]
            if tries > 1:
                # It may be in the ledger all the same, and then gets its receipt.
                return self.append(bodies, tries=tries - 1)
            logger.exception("ledger %s: an event could not be stored", self._vitals.ledger)
            return [self._stand_in(bodies[0], error)]

    def _stand_in(self, body: bytes, error: BaseException) -> MinutebookError:
        detail = described(error)
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
