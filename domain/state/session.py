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
    on_behalf_of: str | None = None
    """For whom, when an agent works in it for a person."""
    token_id: str | None = None
    """The API token that it was begun with."""
    expires_at: AwareDatetime | None = None
    """UTC, when it ends in any case; ``None`` for never."""
    idle_limit_s: float | None = None
    """Seconds without a use after which it ends; ``None`` for no limit."""
    used_at: AwareDatetime | None = None
    """UTC, last use after its creation."""
