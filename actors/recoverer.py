"""Adopting what processes left that died while this one runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.recovery import Recovered, has_orphans, recover
from minutebook.actors.looking import Looker
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import MinutebookError
from minutebook.domain.event import AuditEvent
from minutebook.domain.trail_events import AuditRecovered

logger = logging.getLogger("minutebook.audit")

INTERVAL_S: Final = 5.0
"""How often the journals of others are looked at."""


class Recoverer(Looker):
    """Looks for journals of dead owners now and then, on a thread of its own.

    Args:
        directory: the journals.
        open_ledger: opens the ledger for a recovery, which closes it again.
        encoder: the system's.
        tell: takes ``audit.recovered``.
        source: the envelope's ``source`` of it.
        interval_s: seconds between two looks.
        afterwards: called at the end of each look; returns soon.
    """

    def __init__(
        self,
        directory: Path,
        open_ledger: Callable[[], Ledger],
        encoder: Encoder,
        tell: Callable[[AuditEvent], None],
        *,
        source: str,
        interval_s: float = INTERVAL_S,
        afterwards: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__("minutebook-recoverer", interval_s)
        self._directory = directory
        self._open_ledger = open_ledger
        self._encoder = encoder
        self._tell = tell
        self._source = source
        self._afterwards = afterwards

    def look(self) -> None:
        """Look for journals once, and recover them."""
        try:
            if has_orphans(self._directory):
                self._recover()
            self._afterwards()
        # It stays as it is, and the next look tries again.
        except (MinutebookError, OSError) as error:
            logger.warning("a journal could not be recovered yet: %s", error)
        except Exception:
            logger.exception("a journal could not be recovered")

    def _recover(self) -> None:
        ledger = self._open_ledger()
        try:
            results = recover(self._directory, ledger, self._encoder)
        finally:
            ledger.close()
        for result in results:
            self._tell(describe(result, self._source))


def describe(result: Recovered, source: str) -> AuditRecovered:
    """Return the event that tells of a recovery."""
    return AuditRecovered(
        source=source,
        outcome="failure" if result.damage else "success",
        from_producer=result.producer,
        found=result.found,
        committed=result.committed,
        unreadable=sum(damage.lost for damage in result.damage),
        torn=result.torn or any(damage.is_open_end for damage in result.damage),
        kept_aside=tuple(result.kept),
    )
