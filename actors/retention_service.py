"""The caller's side of the RetentionActor, and the timer that has the policy applied."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from pykka import Future, Timeout

from minutebook.actors.base import Service
from minutebook.actors.looking import Looker
from minutebook.domain.commands.retention import (
    ApplyRetention,
    ArchiveEntries,
    ForgetSubject,
    LiftHold,
    ListHolds,
    PlaceHold,
    PruneEntries,
    SealEntries,
)
from minutebook.domain.context import bind
from minutebook.domain.errors import MinutebookError
from minutebook.domain.events.retention import HoldKind
from minutebook.domain.state.retention import ForgottenSubject, Hold, PruneResult, Segment

logger = logging.getLogger("minutebook.retention")

LOOK_S: Final = 1.0
"""How often it is looked whether the policy is due."""

FIRST_S: Final = 60.0
"""When it is due for the first time, at the latest: programs may run for less than an interval."""


class Retention(Service):
    """``system.retention``: each call returns a future; errors are raised by its ``get``."""

    def hold(self, kind: HoldKind, value: str, *, reason: str) -> Future[Hold]:
        """Keep entries from being pruned.

        Args:
            kind: by what: ``entries``, ``plan``, ``session`` or ``user``.
            value: the plan, session or user; of entries, the first and the last index: ``17-42``.
            reason: why, in words.
        """
        return self.ask(PlaceHold(kind=kind, value=value, reason=reason))

    def lift(self, hold_id: str, *, reason: str) -> Future[Hold]:
        """End a hold; `UnknownHold` when there is none of the id."""
        return self.ask(LiftHold(hold_id=hold_id, reason=reason))

    def holds(self) -> Future[tuple[Hold, ...]]:
        """List the holds that keep entries, oldest first."""
        return self.ask(ListHolds())

    def seal(self) -> Future[tuple[Segment, ...]]:
        """Write what is in no segment yet to segments; `ArchiveFailed` when that cannot be."""
        return self.ask(SealEntries())

    def archive(self, directory: str | os.PathLike[str]) -> Future[tuple[Segment, ...]]:
        """Seal, and copy what is in no archive yet; `ArchiveFailed` when that cannot be."""
        return self.ask(ArchiveEntries(directory=os.fspath(directory)))

    def prune(
        self,
        *,
        older_than_days: float | None = None,
        keep: int | None = None,
        types: Sequence[str] = (),
        archived_only: bool = False,
    ) -> Future[PruneResult]:
        """Remove the entries that meet all that is said, but those under a legal hold.

        Args:
            older_than_days: only what was recorded longer ago.
            keep: all but the newest so many.
            types: only these, or patterns such as ``plan.*``.
            archived_only: only what is in an archive; always, where the settings say so.
        """
        return self.ask(
            PruneEntries(
                older_than_days=older_than_days,
                keep=keep,
                types=tuple(types),
                archived_only=archived_only,
            )
        )

    def apply(self) -> Future[PruneResult]:
        """Do a part of what the settings say; again, until the result says ``finished``."""
        return self.ask(ApplyRetention())

    def forget(self, subject: str) -> Future[ForgottenSubject]:
        """Destroy the keys of somebody's personal fields; `UnknownSubject` if there are none."""
        return self.ask(ForgetSubject(subject=subject))


class RetentionTimer(Looker):
    """Has the policy applied now and then, as the system itself.

    Args:
        apply: asks for it: `Retention.apply`.
        identity: as whom.
        interval_s: seconds between two times.
    """

    def __init__(
        self, apply: Callable[[], Future[PruneResult]], *, identity: str, interval_s: float
    ) -> None:
        super().__init__("minutebook-retention", min(LOOK_S, interval_s))
        self._apply = apply
        self._identity = identity
        self._every_s = interval_s
        self._due_at = time.monotonic() + min(interval_s, FIRST_S)
        self._asked: Future[Any] | None = None

    def look(self) -> None:
        """Ask for it when it is due, and the last time is over; raises nothing."""
        try:
            self._look()
        except MinutebookError as error:
            logger.warning("the retention policy was not applied: %s", error)
        except Exception:
            logger.exception("the retention policy was not applied")

    def _look(self) -> None:
        if self._asked is not None:
            asked, self._asked = self._asked, None
            try:
                result: PruneResult = asked.get(timeout=0)
            except Timeout:
                self._asked = asked
                return
            if not result.finished:
                self._due_at = time.monotonic()
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self._every_s
            with bind(identity=self._identity):
                self._asked = self._apply()
