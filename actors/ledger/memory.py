"""A ledger in memory, stricter than the file: for tests of actors, and of hosts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from minutebook.actors.ledger.clock import now_microseconds
from minutebook.actors.ledger.duplicates import Known, settle
from minutebook.actors.ledger.steps import GiveWay, in_steps
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Entry, Receipt, Record, leaf_hash, leaf_input
from minutebook.domain.errors import DuplicateEvent, LedgerCorrupt, LedgerError
from minutebook.domain.merkle import EMPTY


class MemoryLedger:
    """Implements `minutebook.actors.ledger.port.Ledger` without a file; see there.

    Strict: at `close`, and at each `verify`, it hashes every entry again and compares it with
    the receipt that it gave, so that a test in which anything rewrites an entry fails.

    Args:
        encoder: writes the ``audit.gap`` that takes the place of a duplicate.
        clock: microseconds since the epoch, for ``recorded_at``.
    """

    def __init__(self, encoder: Encoder, *, clock: Callable[[], int] = now_microseconds) -> None:
        self.entries: list[Entry] = []
        """What was appended, in order; look, and do not touch."""
        self._encoder = encoder
        self._clock = clock
        self.tree = EMPTY
        """The Merkle tree over their leaf hashes."""
        self._handed_out: list[bytes] = []
        self._by_id: dict[str, Known] = {}
        self._lock = threading.Lock()
        self._closed = False

    def append(
        self, bodies: Sequence[bytes], give_way: GiveWay | None = None
    ) -> list[Receipt | DuplicateEvent]:
        """Append a batch; see `minutebook.actors.ledger.port.Ledger.append`."""
        records = in_steps(Record.of, bodies, give_way)
        with self._lock:
            if self._closed:
                msg = "this memory ledger is closed; make a new one."
                raise LedgerError(msg)
            settled = settle(records, self._known, self._encoder)
            recorded_at = self._clock()
            new = [
                record.row(index, recorded_at)
                for index, record in enumerate(settled.new, len(self.entries))
            ]
            self.entries.extend(new)
            self.tree, _ = self.tree.extended([entry.leaf_hash for entry in new])
            receipts = [
                Receipt(entry.log_index, entry.leaf_hash, entry.recorded_at) for entry in new
            ]
            self._handed_out.extend(receipt.leaf_hash for receipt in receipts)
            self._by_id.update(
                (entry.id, Known(receipt, entry.body))
                for entry, receipt in zip(new, receipts, strict=True)
            )
        return settled.outcomes(receipts)

    def next_index(self) -> int:
        """Return how many entries there are."""
        return len(self.entries)

    def checkpoint(self) -> None:
        """Nothing: it signs nothing, and `verify` looks at all of it."""

    def close(self) -> None:
        """Refuse further appends; what is there stays readable."""
        with self._lock:
            self.verify()
            self._closed = True

    def leave(self) -> None:
        """Nothing: a forked child has a copy of all of it."""

    def renew(self) -> None:
        """Go on with that copy."""
        self._closed = False

    def verify(self) -> None:
        """Check that nothing was changed, removed or reordered.

        Raises:
            LedgerCorrupt: naming the first entry that is not as it was appended.
        """
        if len(self.entries) != len(self._handed_out):
            msg = (
                f"the memory ledger has {len(self.entries)} entries and handed out"
                f" {len(self._handed_out)} receipts; entries are append only: find who changed it."
            )
            raise LedgerCorrupt(msg)
        for index, (entry, handed_out) in enumerate(
            zip(self.entries, self._handed_out, strict=True)
        ):
            computed = leaf_hash(leaf_input(entry.recorded_at, entry.body))
            rebuilt = Record.of(entry.body).row(index, entry.recorded_at)
            if computed != handed_out or rebuilt != entry:
                msg = (
                    f"entry {index} of the memory ledger was changed; entries are append only:"
                    " find who changed it."
                )
                raise LedgerCorrupt(msg)
        if self.tree != EMPTY.extended(self._handed_out)[0]:
            msg = "the memory ledger's tree was changed; it only grows: find who changed it."
            raise LedgerCorrupt(msg)

    def _known(self, ids: Sequence[str]) -> dict[str, Known]:
        return {wanted: self._by_id[wanted] for wanted in ids if wanted in self._by_id}
