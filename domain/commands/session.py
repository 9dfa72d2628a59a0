"""What may be asked of the SessionActor."""

from __future__ import annotations

from minutebook.domain.commands.auth import Seconds
from minutebook.domain.commands.base import Command, Name
from minutebook.domain.state import Principal


class CreateSession(Command):
    """Begin a session; answered with a `Session`."""

    actor_name: Name
    client: Name | None = None
    principal: Principal | None = None
    expires_in_s: Seconds | None = None
    idle_limit_s: Seconds | None = None


class CloseSession(Command):
    """End a session; answered with the `Session`."""

    session_id: Name
    reason: Name = "closed"


class GetSession(Command):
    """Answered with the `Session`."""

    audited = False
    session_id: Name


class RequireSession(Command):
    """Refuse a session that has ended; answered with the `Session`."""

    audited = False
    session_id: Name


class TouchSession(Command):
    """Note that an open session is used; answered with the `Session`."""

    audited = False
    session_id: Name


class ListSessions(Command):
    """Answered with a tuple of `Session`, oldest first."""

    audited = False
    open_only: bool = True


class DeleteSession(Command):
    """Delete what is known of a closed session; answered with the `Session`."""

    session_id: Name
