"""Legal holds: the ledger itself remembers them, by ``hold.placed`` and ``hold.lifted``."""

from __future__ import annotations

import apsw

from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.transactions import transaction
from minutebook.actors.retention.clerk import Clerk
from minutebook.domain.entry import Record, from_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import UnknownHold
from minutebook.domain.events.retention import HoldKind, HoldLifted, HoldPlaced
from minutebook.domain.holds import HOLD_TYPES, range_of
from minutebook.domain.state.retention import Hold
from minutebook.domain.surrogates import unescape_all


def read_holds(connection: apsw.Connection) -> dict[str, Hold]:
    """Return the holds that keep entries, by id, oldest first."""
    holds: dict[str, Hold] = {}
    rows = connection.execute(
        "SELECT type, body, recorded_at, user_identity FROM entries WHERE type IN (?, ?)"
        " ORDER BY log_index",
        HOLD_TYPES,
    )
    for event_type, body, recorded_at, who in rows:
        payload = unescape_all(Record.payload_of(body))
        if event_type == HOLD_TYPES[0]:
            moment = from_microseconds(recorded_at)
            holds[payload["hold_id"]] = Hold(**payload, placed_at=moment, placed_by=who)
        else:
            holds.pop(payload["hold_id"], None)
    return holds


def list_holds(file: LedgerFile) -> tuple[Hold, ...]:
    """Return the holds that keep entries, oldest first; raises `LedgerError`."""
    return tuple(file.run(read_holds).values())


def place_hold(clerk: Clerk, kind: HoldKind, value: str, reason: str) -> Hold:
    """Keep entries from being pruned, from now on.

    Raises:
        InvalidCommand: the value is no range of entries, where it should be.
        LedgerError: the ledger cannot be written.
    """
    if kind == "entries":
        range_of(value)
    event = HoldPlaced(source=clerk.source, hold_id=new_id(), kind=kind, value=value, reason=reason)
    receipt = clerk.enter(event)
    return Hold(
        hold_id=event.hold_id,
        kind=kind,
        value=value,
        reason=reason,
        placed_at=receipt.recorded_time,
        placed_by=event.user_identity,
    )


def lift_hold(clerk: Clerk, name: str, reason: str) -> Hold:
    """End a hold.

    Args:
        clerk: enters it.
        name: the hold's id, or the beginning of it that no other hold has.
        reason: why.

    Raises:
        UnknownHold: there is none of this id, or more than one.
        LedgerError: the ledger cannot be written.
    """
    with clerk.turn() as connection, transaction(connection):
        found = [hold for key, hold in read_holds(connection).items() if key.startswith(name)]
    if not name or len(found) != 1:
        msg = (
            f"{name!r:.80} is the id of {len(found) or 'no'} hold{'s' if len(found) > 1 else ''};"
            " `minutebook hold LEDGER list` lists them."
        )
        raise UnknownHold(msg)
    (hold,) = found
    clerk.enter(
        HoldLifted(
            source=clerk.source,
            hold_id=hold.hold_id,
            kind=hold.kind,
            value=hold.value,
            reason=reason,
        )
    )
    return hold
