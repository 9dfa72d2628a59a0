"""What changes of a user's account have in common: they are told, and end sessions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.in_turn import InTurnActor
from minutebook.actors.ledger.clock import utc_now
from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Recording
from minutebook.actors.session_records import End, end_sessions
from minutebook.domain.entry import to_microseconds
from minutebook.domain.events import UserChange, UserChanged

OWN: Final = "user_identity = ?1"
"""The sessions of a user."""

OWN_AND_FOR: Final = "user_identity = ?1 OR on_behalf_of = ?1"
"""The sessions of a user, and those of agents that act for the user."""


class AccountActor(InTurnActor):
    """Tells what was changed of a user, and ends sessions that may not go on.

    Args:
        service: the host's name.
        outbox: the actor's own.
        clock: returns the time, UTC.
    """

    def __init__(
        self, service: str, outbox: Outbox, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(service, outbox)
        self._clock = clock

    def _tell_change(
        self, recording: Recording, name: str, change: UserChange, **detail: Any
    ) -> str:
        """Have a change told; returns the event's id."""
        changed = UserChanged(user_name=name, change=change, **detail)
        recording.tell(changed)
        return changed.id

    def _end_sessions(
        self, recording: Recording, where: str, parameters: tuple[str, ...], reason: str, cause: str
    ) -> list[str]:
        """End sessions, in the transaction of what led to it; returns their ids."""
        end = End(self._clock(), reason)
        return end_sessions(self._database, recording, where, parameters, end, causation_id=cause)


def insert_role(database: AppDatabase, name: str, role: str, now: datetime) -> None:
    """Give a user a role that the user has not."""
    database.execute(
        "INSERT INTO user_roles (user_name, role, granted_at) VALUES (?, ?, ?)",
        (name, role, to_microseconds(now)),
    )
