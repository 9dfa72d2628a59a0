"""What may be asked of the SessionActor."""

from __future__ import annotations

from minutebook.domain.commands.base import Command, Name


class CreateSession(Command):
    """Begin a session; answered with a `Session`."""

    actor_name: Name
    client: Name | None = None


class CloseSession(Command):
    """End a session; answered with the `Session`."""

    session_id: Name
    reason: Name = "closed"


class GetSession(Command):
    """Answered with the `Session`."""

    audited = False
    session_id: Name


class ListSessions(Command):
    """Answered with a tuple of `Session`, oldest first."""

    audited = False
    open_only: bool = True


class DeleteSession(Command):
    """Delete what is known of a closed session; answered with the `Session`."""

    session_id: Name
