"""What the AuthActor answers with."""

from __future__ import annotations

from pydantic import AwareDatetime, SecretStr

from minutebook.domain.state.base import State


class User(State):
    """Somebody who can authenticate."""

    name: str
    """Unique name."""
    created_at: AwareDatetime
    """UTC."""
    roles: tuple[str, ...] = ()
    """What the user may do, in the host's words, sorted."""
    disabled_at: AwareDatetime | None = None
    """UTC, since when nobody is let in under this name; ``None`` while it may."""
    failed_attempts: int = 0
    """Password attempts since the last success."""
    lock_ends_at: AwareDatetime | None = None
    """UTC; until then every password is refused. In the past, or ``None``, there is no lock."""


class Delegation(State):
    """That an agent may act for a person."""

    person: str
    """For whom: the user who allowed it."""
    agent: str
    """Who may act: a user, too."""
    allowed_at: AwareDatetime
    """UTC."""
    expires_at: AwareDatetime | None = None
    """UTC; ``None`` for until it is revoked."""


class Principal(State):
    """Somebody who has just authenticated.

    Bind it: ``bind(identity=principal.name, on_behalf_of=principal.on_behalf_of)``.
    """

    name: str
    """Who."""
    method: str
    """``password`` or ``token``."""
    on_behalf_of: str | None = None
    """For whom, as that user allowed."""
    scopes: tuple[str, ...] = ()
    """What the token is for, in the host's words; checking them is the host's."""
    token_id: str | None = None
    """The token's id."""


class TokenInfo(State):
    """What may be known of a token: not its secret."""

    token_id: str
    """Its id."""
    user_name: str
    """Whose it is."""
    label: str
    """What it is for."""
    scopes: tuple[str, ...] = ()
    """What may be done with it, in the host's words."""
    created_at: AwareDatetime
    """UTC."""
    expires_at: AwareDatetime | None = None
    """UTC; ``None`` for never."""
    last_used_at: AwareDatetime | None = None
    """UTC; ``None`` before the first use."""
    revoked_at: AwareDatetime | None = None
    """UTC; ``None`` while it is accepted."""


class ApiToken(TokenInfo):
    """A token, shown this once: only its digest is stored."""

    secret: SecretStr
    """What to send: ``secret.get_secret_value()``."""
