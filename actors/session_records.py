"""Sessions in the app database: when they end, and ending them.

Used by whoever ends sessions: the SessionActor, and the AuthActor, whose changes of a user and
the ends of the user's sessions are one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.recording import Recording
from minutebook.domain.context import causation_id_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.events import SessionClosed
from minutebook.domain.state import Session

EXPIRED: Final = "expired"
"""Why a session ended whose time was over."""

IDLE: Final = "idle"
"""Why a session ended that was not used for too long."""

_OVERDUE: Final = (
    "closed_at IS NULL AND (expires_at <= ?1"
    " OR coalesce(used_at, created_at) + idle_limit_s * 1000000 <= ?1)"
)


class End(NamedTuple):
    """How a session ends."""

    at: datetime
    """When, UTC."""
    reason: str
    """Why."""


def own_end(session: Session) -> End | None:
    """Return how a session ends by itself, unless it is used."""
    ends = []
    if session.expires_at is not None:
        ends.append(End(session.expires_at, EXPIRED))
    if session.idle_limit_s is not None:
        used_at = session.used_at or session.created_at
        ends.append(End(used_at + timedelta(seconds=session.idle_limit_s), IDLE))
    return min(ends, default=None)


def is_overdue(session: Session, now: datetime) -> bool:
    """Tell whether a session is open and should not be."""
    end = own_end(session)
    return session.closed_at is None and end is not None and end.at <= now


def has_overdue(database: AppDatabase, now: datetime) -> bool:
    """Tell whether any session is."""
    found = database.row(f"SELECT 1 FROM sessions WHERE {_OVERDUE}", (to_microseconds(now),))
    return found is not None


def end_overdue(database: AppDatabase, recording: Recording, now: datetime, *, most: int) -> int:
    """End sessions whose time is over, each as of when it was; return how many."""
    rows = database.rows(
        f"SELECT * FROM sessions WHERE {_OVERDUE} LIMIT ?2", (to_microseconds(now), most)
    )
    for row in rows:
        session = Session(**row)
        end_session(database, recording, session, own_end(session) or End(now, EXPIRED))
    return len(rows)


def end_sessions(
    database: AppDatabase,
    recording: Recording,
    where: str,
    parameters: Sequence[Any],
    end: End,
    *,
    causation_id: str | None = None,
) -> list[str]:
    """End the open sessions that a condition names; return their ids, oldest first.

    Args:
        where: what follows SQL's ``WHERE``.
        parameters: of it.
        end: how.
        causation_id: the event that led to it.
    """
    rows = database.rows(
        f"SELECT * FROM sessions WHERE closed_at IS NULL AND ({where}) ORDER BY created_at, rowid",
        parameters,
    )
    for row in rows:
        end_session(database, recording, Session(**row), end, causation_id=causation_id)
    return [row["session_id"] for row in rows]


def end_session(
    database: AppDatabase,
    recording: Recording,
    session: Session,
    end: End,
    *,
    causation_id: str | None = None,
) -> Session:
    """End one open session, in a transaction that has read it; return it as it is then.

    One whose time was over before ended then.
    """
    own = own_end(session)
    if own is not None and own.at <= end.at:
        end, causation_id = own, None
    database.execute(
        "UPDATE sessions SET closed_at = ?, close_reason = ? WHERE session_id = ?",
        (to_microseconds(end.at), end.reason, session.session_id),
    )
    recording.tell(
        SessionClosed(
            session_id=session.session_id,
            actor_name=session.actor_name,
            reason=end.reason,
            duration_s=(end.at - session.created_at).total_seconds(),
            occurred_at=end.at,
            causation_id=causation_id or causation_id_var.get(),
        )
    )
    return session.model_copy(update={"closed_at": end.at, "close_reason": end.reason})
