"""SessionActor: sessions of the host's actors, kept in the app database."""

from __future__ import annotations

from datetime import UTC, datetime

from pykka import Future

from minutebook.actors.base import Service, StatefulActor, handles
from minutebook.domain.commands import (
    CloseSession,
    CreateSession,
    DeleteSession,
    GetSession,
    ListSessions,
)
from minutebook.domain.context import user_identity_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import SessionAlreadyClosed, SessionStillOpen, UnknownSession
from minutebook.domain.events import EntityDeleted, SessionClosed, SessionCreated
from minutebook.domain.state import Session


class SessionActor(StatefulActor):
    """Creates, closes, lists and deletes sessions, and tells so."""

    name = "sessions"

    @handles(CreateSession)
    def create(self, command: CreateSession) -> Session:
        """Begin a session for the identity that is bound."""
        session = Session(
            session_id=new_id(),
            actor_name=command.actor_name,
            user_identity=user_identity_var.get(),
            client=command.client,
            created_at=datetime.now(UTC),
        )
        with self._recorded() as recording:
            self._database.execute(
                "INSERT INTO sessions (session_id, actor_name, user_identity, client, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    session.session_id,
                    session.actor_name,
                    session.user_identity,
                    session.client,
                    to_microseconds(session.created_at),
                ),
            )
            recording.tell(
                SessionCreated(
                    session_id=session.session_id,
                    actor_name=session.actor_name,
                    client=session.client,
                    occurred_at=session.created_at,
                )
            )
        return session

    @handles(CloseSession)
    def close(self, command: CloseSession) -> Session:
        """End a session."""
        with self._recorded() as recording:
            session = self._known(command.session_id)
            if session.closed_at is not None:
                msg = (
                    f"session {session.session_id} was closed at {session.closed_at:%F %T} UTC;"
                    " create a new one."
                )
                raise SessionAlreadyClosed(msg)
            closed_at = datetime.now(UTC)
            self._database.execute(
                "UPDATE sessions SET closed_at = ?, close_reason = ? WHERE session_id = ?",
                (to_microseconds(closed_at), command.reason, session.session_id),
            )
            recording.tell(
                SessionClosed(
                    session_id=session.session_id,
                    actor_name=session.actor_name,
                    reason=command.reason,
                    duration_s=(closed_at - session.created_at).total_seconds(),
                    occurred_at=closed_at,
                )
            )
        return session.model_copy(update={"closed_at": closed_at, "close_reason": command.reason})

    @handles(GetSession)
    def get(self, command: GetSession) -> Session:
        """Look up one session."""
        return self._known(command.session_id)

    @handles(ListSessions)
    def list(self, command: ListSessions) -> tuple[Session, ...]:
        """List sessions."""
        where = "WHERE closed_at IS NULL" if command.open_only else ""
        rows = self._database.rows(f"SELECT * FROM sessions {where} ORDER BY created_at, rowid")
        return tuple(Session(**row) for row in rows)

    @handles(DeleteSession)
    def delete(self, command: DeleteSession) -> Session:
        """Delete what is known of a closed session; the trail keeps its events."""
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

    def _known(self, session_id: str) -> Session:
        row = self._database.row("SELECT * FROM sessions WHERE session_id = ?", (session_id,))
        if row is None:
            msg = f"no session has the id {session_id!r}; list() names those there are."
            raise UnknownSession(msg)
        return Session(**row)


class Sessions(Service):
    """``system.sessions``: each call returns a future; errors are raised by its ``get``."""

    def create(self, *, actor_name: str, client: str | None = None) -> Future[Session]:
        """Begin a session for the bound identity.

        Args:
            actor_name: who works in it, such as ``local/reviewer``.
            client: program or address that it comes from.
        """
        return self.ask(CreateSession(actor_name=actor_name, client=client))

    def close(self, session_id: str, *, reason: str = "closed") -> Future[Session]:
        """End a session; `UnknownSession`, `SessionAlreadyClosed` when that cannot be."""
        return self.ask(CloseSession(session_id=session_id, reason=reason))

    def get(self, session_id: str) -> Future[Session]:
        """Look up one session; `UnknownSession` when there is none."""
        return self.ask(GetSession(session_id=session_id))

    def list(self, *, open_only: bool = True) -> Future[tuple[Session, ...]]:
        """List the open sessions, or all, oldest first."""
        return self.ask(ListSessions(open_only=open_only))

    def delete(self, session_id: str) -> Future[Session]:
        """Delete a closed session; `UnknownSession`, `SessionStillOpen` when that cannot be."""
        return self.ask(DeleteSession(session_id=session_id))
