"""SessionActor: sessions of the host's actors, kept in the app database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from minutebook.actors.base import StatefulActor, handles
from minutebook.actors.ledger.clock import utc_now
from minutebook.actors.outbox import Outbox
from minutebook.actors.session_admission import admission
from minutebook.actors.session_records import (
    EXPIRED,
    IDLE,
    End,
    end_overdue,
    end_session,
    has_overdue,
    is_overdue,
)
from minutebook.domain.commands import (
    CloseSession,
    CreateSession,
    DeleteSession,
    GetSession,
    ListSessions,
    RequireSession,
    TouchSession,
)
from minutebook.domain.context import Binding
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import (
    PermissionDenied,
    SessionAlreadyClosed,
    SessionExpired,
    SessionStillOpen,
    UnknownSession,
)
from minutebook.domain.events import EntityDeleted, SessionCreated
from minutebook.domain.state import Session

_OVERDUE_AT_ONCE: Final = 100

Limit = TypeVar("Limit", float, datetime)


class SessionLimits(NamedTuple):
    """How long sessions last at most, in seconds; ``None`` for as long as each says itself."""

    lifetime_s: float | None = None
    """After their creation."""
    idle_s: float | None = None
    """Without a use."""


UNLIMITED: Final = SessionLimits()
"""Sessions last until somebody closes them."""


class SessionActor(StatefulActor):
    """Creates, closes, lists and deletes sessions, and tells so.

    One whose time is over is closed by whoever comes to it first: a command about it, or a look
    after the outbox, which each process has every few seconds.

    Args:
        service: the host's name.
        outbox: the actor's own.
        limits: of every session.
        clock: returns the time, UTC.
    """

    name = "sessions"

    def __init__(
        self,
        service: str,
        outbox: Outbox,
        limits: SessionLimits = UNLIMITED,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(service, outbox)
        self._limits = limits
        self._clock = clock

    @handles(CreateSession)
    def create(self, command: CreateSession) -> Session:
        """Begin a session for a principal, or for the identity that is bound."""
        now = self._clock()
        with self._recorded() as recording:
            admitted = admission(self._database, command.principal, now)
            if admitted.denied is None:
                session = Session(
                    session_id=new_id(),
                    actor_name=command.actor_name,
                    user_identity=admitted.identity,
                    on_behalf_of=admitted.on_behalf_of,
                    token_id=None if command.principal is None else command.principal.token_id,
                    client=command.client,
                    created_at=now,
                    expires_at=_least(
                        _after(now, command.expires_in_s),
                        _after(now, self._limits.lifetime_s),
                        admitted.ends_at,
                    ),
                    idle_limit_s=_least(command.idle_limit_s, self._limits.idle_s),
                )
                self._insert(session)
                recording.tell(
                    SessionCreated(
                        session_id=session.session_id,
                        user_identity=session.user_identity,
                        on_behalf_of=session.on_behalf_of,
                        actor_name=session.actor_name,
                        client=session.client,
                        expires_at=session.expires_at,
                        idle_limit_s=session.idle_limit_s,
                        occurred_at=session.created_at,
                    )
                )
                return session
            recording.tell(admitted.denied)
        msg = (
            f"no session was begun: {admitted.denied.outcome_reason}; authenticate again, or ask"
            " an administrator."
        )
        raise PermissionDenied(msg)

    def _insert(self, session: Session) -> None:
        self._database.execute(
            "INSERT INTO sessions (session_id, actor_name, user_identity, client, created_at,"
            " on_behalf_of, token_id, expires_at, idle_limit_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                session.session_id,
                session.actor_name,
                session.user_identity,
                session.client,
                to_microseconds(session.created_at),
                session.on_behalf_of,
                session.token_id,
                None if session.expires_at is None else to_microseconds(session.expires_at),
                session.idle_limit_s,
            ),
        )

    @handles(CloseSession)
    def close(self, command: CloseSession) -> Session:
        """End a session."""
        self._current(command.session_id)
        with self._recorded() as recording:
            session = self._known(command.session_id)
            _refuse_closed(session)
            end = End(self._clock(), command.reason)
            return end_session(self._database, recording, session, end)

    @handles(GetSession)
    def get(self, command: GetSession) -> Session:
        """Look up one session."""
        session = self._current(command.session_id)
        if session.close_reason in (EXPIRED, IDLE):
            _refuse_closed(session)
        return session

    @handles(RequireSession)
    def require(self, command: RequireSession) -> Session:
        """Refuse a session that has ended."""
        session = self._current(command.session_id)
        _refuse_closed(session)
        return session

    @handles(TouchSession)
    def touch(self, command: TouchSession) -> Session:
        """Note that an open session is used."""
        _refuse_closed(self._current(command.session_id))
        with self._database.transaction():
            self._database.execute(
                "UPDATE sessions SET used_at = ? WHERE session_id = ? AND closed_at IS NULL",
                (to_microseconds(self._clock()), command.session_id),
            )
            session = self._known(command.session_id)
        _refuse_closed(session)
        return session

    @handles(ListSessions)
    def list(self, command: ListSessions) -> tuple[Session, ...]:
        """List sessions."""
        self._end_overdue()
        where = "WHERE closed_at IS NULL" if command.open_only else ""
        rows = self._database.rows(f"SELECT * FROM sessions {where} ORDER BY created_at, rowid")
        return tuple(Session(**row) for row in rows)

    @handles(DeleteSession)
    def delete(self, command: DeleteSession) -> Session:
        """Delete what is known of a closed session; the trail keeps its events."""
        self._current(command.session_id)
        with self._recorded() as recording:
            session = self._known(command.session_id)
            if session.closed_at is None:
                msg = f"session {session.session_id} is still open; close it first."
                raise SessionStillOpen(msg)
            self._database.execute(
                "DELETE FROM sessions WHERE session_id = ?", (session.session_id,)
            )
            recording.tell(
                EntityDeleted(
                    session_id=session.session_id,
                    entity_type="session",
                    entity_id=session.session_id,
                    removed=(),
                )
            )
        return session

    def _catch_up(self) -> None:
        super()._catch_up()
        with Binding().restored(source=self.source):
            self._end_overdue()

    def _end_overdue(self) -> None:
        now = self._clock()
        while has_overdue(self._database, now):
            with self._recorded() as recording:
                end_overdue(self._database, recording, now, most=_OVERDUE_AT_ONCE)

    def _current(self, session_id: str) -> Session:
        """Return a session as it is now: one whose time is over is closed, and that recorded."""
        session, now = self._known(session_id), self._clock()
        if is_overdue(session, now):
            with self._recorded() as recording:
                # Again, for another process may have been first.
                session = self._known(session_id)
                if is_overdue(session, now):
                    session = end_session(self._database, recording, session, End(now, EXPIRED))
        return session

    def _known(self, session_id: str) -> Session:
        row = self._database.row("SELECT * FROM sessions WHERE session_id = ?", (session_id,))
        if row is None:
            msg = f"no session has the id {session_id!r}; list() names those there are."
            raise UnknownSession(msg)
        return Session(**row)


def _refuse_closed(session: Session) -> None:
    if session.closed_at is None:
        return
    if session.close_reason in (EXPIRED, IDLE):
        why = "its time was over" if session.close_reason == EXPIRED else "it was idle for too long"
        msg = (
            f"session {session.session_id} ended at {session.closed_at:%F %T} UTC, for {why};"
            " create a new one."
        )
        raise SessionExpired(msg)
    msg = (
        f"session {session.session_id} was closed at {session.closed_at:%F %T} UTC;"
        " create a new one."
    )
    raise SessionAlreadyClosed(msg)


def _least(*limits: Limit | None) -> Limit | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _after(now: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)
