"""``minutebook prune``: entries go, the proofs of all others stay."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from minutebook.actors.cli.deed import Identity, Ledger, counted, days_of, doing
from minutebook.actors.retention.policy import apply_policy
from minutebook.actors.retention.pruning import HOLD_S_MAX, Pruner, Rule
from minutebook.domain.state.retention import PruneResult

EXIT_REFUSED: Final = 1
_WITHOUT_END_S: Final = 1e9


def prune(
    ledger: Ledger,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="Only what was recorded longer ago: 12h, 90d, 2y."),
    ] = None,
    keep: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="All but the newest N entries.")
    ] = None,
    type: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE", help="Only this type, or pattern such as 'plan.*'. Again for more."
        ),
    ] = None,
    archived: Annotated[
        bool,
        typer.Option(
            "--archived", help="Only what is in an archive; always, where the settings say so."
        ),
    ] = False,
    identity: Identity = None,
) -> None:
    """Remove the entries that meet all that is said; without any of it, what the settings say.

    What was not signed, or is under a legal hold, stays. What went is told in the ledger, and
    everything that remains still verifies. Exits with 1 when something was refused.
    """
    from minutebook.actors.parts import policy_of

    with doing(ledger, identity) as deed:
        policy = policy_of(deed.settings)
        rule = Rule(
            days=None if older_than is None else days_of(older_than),
            keep=keep,
            types=tuple(type or ()),
            archived_only=archived or policy.archive_before_prune,
        )
        if (older_than, keep) == (None, None) and not type and policy.rules():
            result = apply_policy(deed.clerk, policy, turn_s=_WITHOUT_END_S)
        else:
            result = Pruner(deed.clerk, rule, requested_by="person").run()
    _print(result)
    if result.held or result.unarchived:
        raise typer.Exit(EXIT_REFUSED)


def _print(result: PruneResult) -> None:
    went = counted(result.pruned, "entry was", "entries were")
    print(f"{went} pruned, in {counted(result.chunks, 'transaction', 'transactions')}.")
    if result.held:
        kept = counted(result.held, "entry stays", "entries stay")
        print(f"minutebook: {kept}, under a legal hold.", file=sys.stderr)
    if result.unarchived:
        kept = counted(result.unarchived, "entry stays", "entries stay")
        print(f"minutebook: {kept}, not archived yet: minutebook archive.", file=sys.stderr)
    if result.longest_hold_s > HOLD_S_MAX:
        print(
            f"minutebook: the ledger was held for {result.longest_hold_s * 1000:.0f} ms once:"
            " this disk is slow, or busy.",
            file=sys.stderr,
        )
