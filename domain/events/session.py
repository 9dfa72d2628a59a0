"""What the SessionActor tells."""

from __future__ import annotations

from minutebook.domain.event import AuditEvent


class SessionCreated(AuditEvent, type="session.created"):
    """SessionActor: an actor of the host began a session, named by ``session_id``."""

    actor_name: str
    """Who works in the session, such as ``local/reviewer``."""
    client: str | None = None
    """Program or address that it came from."""


class SessionClosed(AuditEvent, type="session.closed"):
    """SessionActor: a session ended."""

    actor_name: str
    """Who worked in the session."""
    reason: str
    """Why it ended."""
    duration_s: float
    """Seconds since it was created."""
