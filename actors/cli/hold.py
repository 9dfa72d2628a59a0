"""``minutebook hold``: what must not be pruned."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from minutebook.actors.cli.columns import aligned
from minutebook.actors.cli.deed import Identity, Ledger, doing
from minutebook.actors.cli.records import document
from minutebook.actors.cli.text import inline, local_part, visible
from minutebook.actors.ledger.reader import LedgerReader
from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.retention.holding import lift_hold, list_holds, place_hold
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.events.retention import HoldKind
from minutebook.domain.state.retention import Hold

_BUSY_TIMEOUT_S = 5.0


class Action(StrEnum):
    """What is done about holds."""

    ADD = "add"
    REMOVE = "remove"
    LIST = "list"


def hold(
    ledger: Ledger,
    action: Annotated[Action, typer.Argument(help="add, remove or list.", case_sensitive=False)],
    hold_id: Annotated[
        str | None,
        typer.Argument(metavar="HOLD", help="For remove: the id, or the beginning of it."),
    ] = None,
    entries: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="FIRST LAST", help="Keep these entries; indexes, or ids."),
    ] = None,
    plan: Annotated[
        str | None, typer.Option(metavar="ID", help="Keep all entries of a plan.")
    ] = None,
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="Keep all entries of a session.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Keep all that somebody did, or others on behalf."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; for add and remove.")
    ] = None,
    identity: Identity = None,
    json: Annotated[bool, typer.Option("--json", help="List as JSON, for programs.")] = False,
) -> None:
    """Keep entries from being pruned: a legal hold. Placing and lifting it is recorded."""
    if action is Action.LIST:
        _list(ledger, json=json)
        return
    if reason is None:
        msg = "say why, with --reason: it is recorded."
        raise InvalidCommand(msg)
    if action is Action.REMOVE:
        with doing(ledger, identity) as deed:
            lifted = lift_hold(deed.clerk, hold_id or "", reason)
        print(f"hold {lifted.hold_id} lifted.")
        return
    given: dict[HoldKind, str | None] = {"plan": plan, "session": session, "user": user}
    if entries is not None:
        given["entries"] = _range(ledger, entries)
    said: list[tuple[HoldKind, str]] = [
        (kind, value) for kind, value in given.items() if value is not None
    ]
    if len(said) != 1:
        msg = "give one of --entries, --plan, --session and --user; several holds may be placed."
        raise InvalidCommand(msg)
    with doing(ledger, identity) as deed:
        placed = place_hold(deed.clerk, *said[0], reason)
    print(f"hold {placed.hold_id} placed.")


def _range(ledger: str, entries: tuple[str, str]) -> str:
    with LedgerReader(ledger) as reader:
        first, last = (reader.get(name).log_index for name in entries)
    return f"{first}-{last}"


def _list(ledger: str, *, json: bool) -> None:
    file = LedgerFile(Path(ledger), busy_timeout_s=_BUSY_TIMEOUT_S)
    try:
        holds = list_holds(file)
    finally:
        file.close()
    if json:
        rows = [placed.model_dump(mode="json") for placed in holds]
        sys.stdout.buffer.write(document(rows) + b"\n")
        return
    for line in aligned([("hold", "keeps", "placed at", "by", "reason"), *map(_row, holds)]):
        print(line)


def _row(placed: Hold) -> tuple[str, ...]:
    return (
        placed.hold_id,
        f"{placed.kind} {visible(placed.value)}",
        local_part(placed.placed_at),
        inline(placed.placed_by),
        visible(placed.reason),
    )
