"""What the AuthActor tells."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from minutebook.domain.event import AuditEvent

AuthMethod = Literal["password", "token"]
"""How somebody proves who they are."""

AuthRefusal = Literal["unknown_user", "bad_credential", "locked", "expired", "disabled", "revoked"]
"""Why a credential is refused: ``locked`` for too many wrong passwords, ``expired`` and
``revoked`` for a token, ``disabled`` for a right credential of a disabled user."""

UserChange = Literal[
    "disabled",
    "enabled",
    "role_granted",
    "role_revoked",
    "password_changed",
    "password_reset",
    "unlocked",
    "delegation_allowed",
    "delegation_revoked",
]
"""What was changed of a user."""


class AuthSucceeded(AuditEvent, type="auth.succeeded"):
    """AuthActor: a credential was accepted."""

    method: AuthMethod
    """Kind of credential."""
    principal: str
    """Who was let in."""
    source_address: str | None = None
    """Where the request came from, as the host says."""
    attempts: int
    """Attempts since the last success, this one included; 1 for a token."""


class AuthFailed(AuditEvent, type="auth.failed", outcome="failure", severity="warning"):
    """AuthActor: a credential was refused. The credential itself is never recorded."""

    method: AuthMethod
    """Kind of credential."""
    principal: str
    """The name that was tried; of a token, whose it is."""
    reason: AuthRefusal
    """Why, for the auditor; the caller is not told."""
    source_address: str | None = None
    """Where the request came from, as the host says."""
    attempts: int
    """Attempts since the last success, this one included; 1 for a token or an unknown name."""
    locked_until: AwareDatetime | None = None
    """Until when every password of this user is refused after this."""


class UserCreated(AuditEvent, type="user.created"):
    """AuthActor: somebody can authenticate from here on."""

    user_name: str
    """Who."""
    roles: tuple[str, ...] = ()
    """With which roles."""


class UserChanged(AuditEvent, type="user.changed"):
    """AuthActor: what a user is, or may do, was changed; each session that ended by it follows."""

    user_name: str
    """Whose account."""
    change: UserChange
    """What was changed."""
    role: str | None = None
    """The role that was granted or revoked."""
    agent: str | None = None
    """Who may now, or no longer, act for the user."""
    expires_at: AwareDatetime | None = None
    """Until when the agent may; ``None`` for until it is revoked."""


class TokenCreated(AuditEvent, type="token.created"):
    """AuthActor: an API token was made."""

    token_id: str
    """Its id."""
    user_name: str
    """Whose it is."""
    label: str
    """What it is for."""
    scopes: tuple[str, ...] = ()
    """What may be done with it, in the host's words."""
    expires_at: AwareDatetime | None = None
    """Until when it is accepted; ``None`` for until it is revoked."""


class TokenRevoked(AuditEvent, type="token.revoked"):
    """AuthActor: an API token is accepted no more; each session that ended by it follows."""

    token_id: str
    """Its id."""
    user_name: str
    """Whose it was."""
    label: str
    """What it was for."""


class AccessDenied(AuditEvent, type="access.denied", outcome="denied", severity="warning"):
    """AuthActor, SessionActor: somebody who is known may not do what was asked."""

    user_name: str | None
    """Who was refused; ``None`` when nobody was bound."""
    needs: Literal["role", "delegation", "account", "token"]
    """What was missing: a role, a person's permission to act for them, an account in use, or a
    token that is still accepted."""
    wanted: str
    """The role, the person, the name of the account, or the token's id."""
