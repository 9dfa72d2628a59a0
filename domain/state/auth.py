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


class Principal(State):
    """Somebody who has just authenticated; bind ``name`` as the identity."""

    name: str
    """Who."""
    method: str
    """``password`` or ``token``."""


class ApiToken(State):
    """A token, shown this once: only its digest is stored."""

    token_id: str
    """Its id."""
    user_name: str
    """Whose it is."""
    label: str
    """What it is for."""
    created_at: AwareDatetime
    """UTC."""
    secret: SecretStr
    """What to send: ``secret.get_secret_value()``."""
