"""What the SessionActor tells."""

from __future__ import annotations

from pydantic import AwareDatetime

from minutebook.domain.event import AuditEvent


class SessionCreated(AuditEvent, type="session.created"):
    """SessionActor: an actor of the host began a session, named by ``session_id``."""

    actor_name: str
    """Who works in the session, such as ``local/reviewer``."""
    client: str | None = None
    """Program or address that it came from."""
    expires_at: AwareDatetime | None = None
    """When it ends in any case; ``None`` for never."""
    idle_limit_s: float | None = None
    """Seconds without a use after which it ends; ``None`` for no limit."""


class SessionClosed(AuditEvent, type="session.closed"):
    """SessionActor, or AuthActor for a user's: a session ended.

    One whose time was over ended then, however much later somebody noticed.
    """

    actor_name: str
    """Who worked in the session."""
    reason: str
    """Why it ended: what whoever closed it said; ``expired``, ``idle``; or ``user_disabled``,
    ``user_deleted``, ``password_changed``, ``delegation_revoked``, ``token_revoked``."""
    duration_s: float
    """Seconds since it was created."""
