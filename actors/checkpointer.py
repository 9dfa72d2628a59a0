"""Having checkpoints signed by time, and telling of those that were signed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from minutebook.actors.health import Vitals
from minutebook.actors.ledger.made import Made, MadeCheckpoints
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.looking import Looker
from minutebook.domain.errors import MinutebookError
from minutebook.domain.event import AuditEvent
from minutebook.domain.note import encoded_hash
from minutebook.domain.trail_events import AuditCheckpointed

logger = logging.getLogger("minutebook.audit")

INTERVAL_S: Final = 5.0
"""How often the checkpoints are looked at, while anything is committed: whoever tells meanwhile
waits for up to a millisecond, and what is told of a checkpoint is in the ledger already."""

INTERVAL_S_MIN: Final = 0.05
"""How often at most, where checkpoints are to be signed still more often."""


class Checkpointer(Looker):
    """Looks now and then whether a checkpoint is due, or was signed, on a thread of its own.

    By number of entries they are signed by whoever commits; `SqliteLedger.append` does. The
    ledger is read only when that may have happened: opening it takes a millisecond, most of
    which every other thread of the process has to wait for.

    Args:
        path: the ledger's file.
        open_ledger: opens the ledger to sign in it; closed again.
        tell: takes ``audit.checkpointed``.
        vitals: says how far the commits have come.
        source: the envelope's ``source`` of those events.
        checkpoint_interval_s: most seconds until something is signed; 0 for any number.
        checkpoint_every: entries after which whoever commits them signs; 0 for any number.
    """

    def __init__(
        self,
        path: Path,
        open_ledger: Callable[[], SqliteLedger],
        tell: Callable[[AuditEvent], None],
        vitals: Vitals,
        *,
        source: str,
        checkpoint_interval_s: float,
        checkpoint_every: int,
    ) -> None:
        super().__init__("minutebook-checkpoints", _interval(checkpoint_interval_s))
        # Else it is built with the first checkpoint, and the host's threads wait for that, too.
        AuditCheckpointed.model_rebuild()
        self._made = MadeCheckpoints(path, vitals.producer)
        self._open_ledger = open_ledger
        self._tell = tell
        self._vitals = vitals
        self._source = source
        self._checkpoint_interval_s = checkpoint_interval_s
        self._checkpoint_every = checkpoint_every
        self._looked_at = 0
        self._tried_at = 0
        self._unsigned_since: float | None = None

    def look(self) -> None:
        """Sign and tell once, where there is reason to."""
        self._try(self._look)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        # It stays as it is, and the next look tries again.
        except (MinutebookError, OSError) as error:
            logger.warning("checkpoints could not be looked at yet: %s", error)
        except Exception:
            logger.exception("checkpoints could not be looked at")

    def finish(self, timeout_s: float) -> None:
        """Tell of what was signed until now, and look no more.

        Args:
            timeout_s: how long to wait for that, where the disk hangs.
        """
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        super()._run()
        self._try(self._tell_signed)

    def _look(self) -> None:
        size = self._size()
        if size != self._looked_at:
            self._looked_at = size
            if self._may_be_signed(size):
                self._tell_signed()
            self._note_unsigned(size)
        if self._is_due():
            # Another process may have signed meanwhile.
            self._tell_signed()
            self._note_unsigned(size)
        if self._is_due():
            self._unsigned_since = None
            self._tried_at = size
            self._sign()
            self._tell_signed()

    def _size(self) -> int:
        receipt = self._vitals.last_receipt
        return 0 if receipt is None else receipt.log_index + 1

    def _may_be_signed(self, size: int) -> bool:
        every = self._checkpoint_every
        return every > 0 and size - self._made.newest_size >= every

    def _note_unsigned(self, size: int) -> None:
        if size <= max(self._made.newest_size, self._tried_at):
            self._unsigned_since = None
        elif self._unsigned_since is None:
            self._unsigned_since = time.monotonic()

    def _is_due(self) -> bool:
        if self._unsigned_since is None or self._checkpoint_interval_s == 0:
            return False
        return time.monotonic() - self._unsigned_since >= self._checkpoint_interval_s

    def _tell_signed(self) -> None:
        for checkpoint in self._made.read():
            self._tell(self._described(checkpoint))
            self._made.note_told(checkpoint)

    def _sign(self) -> None:
        ledger = self._open_ledger()
        try:
            ledger.checkpoint()
        finally:
            ledger.close()

    def _described(self, made: Made) -> AuditCheckpointed:
        return AuditCheckpointed(
            source=self._source,
            tree_size=made.checkpoint.size,
            root_hash=encoded_hash(made.checkpoint.root),
            key=made.key,
            note_number=made.number,
        )


def _interval(checkpoint_interval_s: float) -> float:
    often_enough = checkpoint_interval_s / 4 if checkpoint_interval_s else INTERVAL_S
    return max(INTERVAL_S_MIN, min(INTERVAL_S, often_enough))
