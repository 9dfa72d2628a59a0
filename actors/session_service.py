"""The caller's side of the SessionActor."""

from __future__ import annotations

from pykka import Future

from minutebook.actors.base import Service
from minutebook.domain.commands import (
    CloseSession,
    CreateSession,
    DeleteSession,
    GetSession,
    ListSessions,
    RequireSession,
    TouchSession,
)
from minutebook.domain.state import Principal, Session


class Sessions(Service):
    """``system.sessions``: each call returns a future; errors are raised by its ``get``.

    A session whose time is over is closed, and that is recorded, by whichever call comes to it
    first, or within seconds by each open system. From then on it raises `SessionExpired`, which
    is a `SessionAlreadyClosed`.
    """

    def create(
        self,
        *,
        actor_name: str,
        principal: Principal | None = None,
        client: str | None = None,
        expires_in: float | None = None,
        idle_limit: float | None = None,
    ) -> Future[Session]:
        """Begin a session for somebody who has authenticated, or for the bound identity.

        `PermissionDenied` when the user has been disabled or deleted since, the token revoked,
        or the person allows the agent no more; that is recorded.

        Args:
            actor_name: who works in it, such as ``local/reviewer``.
            principal: for whom; the session ends with the principal's token, too.
            client: program or address that it comes from.
            expires_in: seconds after which it ends in any case; at most, and when not given,
                the setting ``session_lifetime``.
            idle_limit: seconds without a `touch` after which it ends; at most, and when not
                given, the setting ``session_idle``.
        """
        return self.ask(
            CreateSession(
                actor_name=actor_name,
                principal=principal,
                client=client,
                expires_in_s=expires_in,
                idle_limit_s=idle_limit,
            )
        )

    def require(self, session_id: str) -> Future[Session]:
        """Return an open session; `UnknownSession`, `SessionExpired` or `SessionAlreadyClosed`."""
        return self.ask(RequireSession(session_id=session_id))

    def touch(self, session_id: str) -> Future[Session]:
        """Note that a session is used, which puts off its idle limit; raises as `require` does."""
        return self.ask(TouchSession(session_id=session_id))

    def close(self, session_id: str, *, reason: str = "closed") -> Future[Session]:
        """End a session; `UnknownSession`, `SessionAlreadyClosed` when that cannot be."""
        return self.ask(CloseSession(session_id=session_id, reason=reason))

    def get(self, session_id: str) -> Future[Session]:
        """Look up one session, open or closed; `UnknownSession`, `SessionExpired`.

        `list` shows expired ones, too.
        """
        return self.ask(GetSession(session_id=session_id))

    def list(self, *, open_only: bool = True) -> Future[tuple[Session, ...]]:
        """List the open sessions, or all, oldest first."""
        return self.ask(ListSessions(open_only=open_only))

    def delete(self, session_id: str) -> Future[Session]:
        """Delete a closed session; `UnknownSession`, `SessionStillOpen` when that cannot be."""
        return self.ask(DeleteSession(session_id=session_id))
