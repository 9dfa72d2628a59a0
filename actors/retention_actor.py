"""RetentionActor: keeps what must be kept, and lets the rest go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from minutebook.actors.base import ServiceActor, handles
from minutebook.actors.ledger.subject_keys import SubjectKeys
from minutebook.actors.retention.clerk import Clerk
from minutebook.actors.retention.forgetting import forget
from minutebook.actors.retention.holding import lift_hold, place_hold, read_holds
from minutebook.actors.retention.policy import Policy, apply_policy
from minutebook.actors.retention.pruning import Pruner, Rule
from minutebook.actors.retention.sealing import archive, seal
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
from minutebook.domain.redaction import Redactor
from minutebook.domain.state.retention import ForgottenSubject, Hold, PruneResult, Segment


class RetentionParts(NamedTuple):
    """What the actor works with."""

    clerk: Callable[[str], AbstractContextManager[Clerk]]
    """Opens the ledger for a while, to enter as a source."""
    keys: SubjectKeys
    """Of the personal fields."""
    redactor: Redactor
    """Makes fingerprints of subjects."""
    policy: Policy
    """What the settings say."""


class RetentionActor(ServiceActor):
    """Seals, archives, prunes, holds and forgets, each with the ledger open only meanwhile.

    Args:
        service: the host's name.
        parts: what it works with.
    """

    name = "retention"

    def __init__(self, service: str, parts: RetentionParts) -> None:
        super().__init__(service)
        self._parts = parts

    @handles(PlaceHold)
    def _place(self, command: PlaceHold) -> Hold:
        with self._parts.clerk(self.source) as clerk:
            return place_hold(clerk, command.kind, command.value, command.reason)

    @handles(LiftHold)
    def _lift(self, command: LiftHold) -> Hold:
        with self._parts.clerk(self.source) as clerk:
            return lift_hold(clerk, command.hold_id, command.reason)

    @handles(ListHolds)
    def _list(self, command: ListHolds) -> tuple[Hold, ...]:
        with self._parts.clerk(self.source) as clerk, clerk.turn() as connection:
            return tuple(read_holds(connection).values())

    @handles(SealEntries)
    def _seal(self, command: SealEntries) -> tuple[Segment, ...]:
        with self._parts.clerk(self.source) as clerk:
            return seal(clerk)

    @handles(ArchiveEntries)
    def _archive(self, command: ArchiveEntries) -> tuple[Segment, ...]:
        with self._parts.clerk(self.source) as clerk:
            return archive(clerk, Path(command.directory))

    @handles(PruneEntries)
    def _prune(self, command: PruneEntries) -> PruneResult:
        rule = Rule(
            days=command.older_than_days,
            keep=command.keep,
            types=command.types,
            archived_only=command.archived_only or self._parts.policy.archive_before_prune,
        )
        with self._parts.clerk(self.source) as clerk:
            return Pruner(clerk, rule, requested_by="person").run()

    @handles(ApplyRetention)
    def _apply(self, command: ApplyRetention) -> PruneResult:
        with self._parts.clerk(self.source) as clerk:
            return apply_policy(clerk, self._parts.policy)

    @handles(ForgetSubject)
    def _forget(self, command: ForgetSubject) -> ForgottenSubject:
        with self._parts.clerk(self.source) as clerk:
            return forget(clerk, self._parts.keys, self._parts.redactor, command.subject)
