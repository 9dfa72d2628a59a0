"""What the SessionActor answers with."""

from __future__ import annotations

from pydantic import AwareDatetime

from minutebook.domain.state.base import State


class Session(State):
    """A stretch of work by one actor of the host."""

    session_id: str
    """Its id."""
    actor_name: str
    """Who works in it."""
    user_identity: str | None
    """For which identity it was created."""
    client: str | None
    """Program or address that it came from."""
    created_at: AwareDatetime
    """UTC."""
    closed_at: AwareDatetime | None = None
    """UTC; ``None`` while it is open."""
    close_reason: str | None = None
    """Why it was closed."""
