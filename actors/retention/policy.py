"""The retention policy of the settings, as rules for pruning."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from minutebook.actors.retention.clerk import Clerk
from minutebook.actors.retention.pruning import Pruner, Rule
from minutebook.actors.retention.sealing import archive
from minutebook.domain.state.retention import PruneResult

TURN_S: Final = 1.0
"""How long a policy is worked on at a time: others may ask the actor in between."""


class Policy(NamedTuple):
    """What the settings say; nothing is done unless a number is given."""

    days: float | None = None
    """Entries go when they are older."""
    newest: int | None = None
    """The oldest go when there are more."""
    types: Mapping[str, float] = {}
    """Days for types of their own, or patterns; the shortest counts where several match."""
    archive_directory: Path | None = None
    """Where segments are taken; nothing is archived when not given."""
    archive_before_prune: bool = False
    """Whether only what is in an archive may go, whoever took it there."""

    @property
    def is_on(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.rules()) or self.archive_directory is not None

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules; an entry goes when one of them says so."""
        named, first = tuple(self.types), self.archive_before_prune
        rules = [
            Rule(days=days, types=(pattern,), archived_only=first)
            for pattern, days in self.types.items()
        ]
        if self.days is not None:
            rules.append(Rule(days=self.days, except_types=named, archived_only=first))
        if self.newest is not None:
            rules.append(Rule(keep=self.newest, except_types=named, archived_only=first))
        return tuple(rules)


def apply_policy(clerk: Clerk, policy: Policy, *, turn_s: float = TURN_S) -> PruneResult:
    """Archive, and prune for a while; the result says whether there is more to do.

    Raises:
        LedgerError, ArchiveFailed: as they say; what was done until then is told.
    """
    if policy.archive_directory is not None:
        archive(clerk, policy.archive_directory)
    until = time.monotonic() + turn_s
    total = PruneResult()
    for rule in policy.rules():
        pruner = Pruner(clerk, rule, requested_by="policy")
        result = pruner.run(lambda: time.monotonic() > until)
        total = PruneResult(
            pruned=total.pruned + result.pruned,
            held=total.held + result.held,
            unarchived=total.unarchived + result.unarchived,
            chunks=total.chunks + result.chunks,
            longest_hold_s=max(total.longest_hold_s, result.longest_hold_s),
            finished=total.finished and result.finished,
        )
    return total
