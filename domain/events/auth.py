"""What the AuthActor tells."""

from __future__ import annotations

from typing import Literal

from minutebook.domain.event import AuditEvent

AuthMethod = Literal["password", "token"]
"""How somebody proves who they are."""


class AuthSucceeded(AuditEvent, type="auth.succeeded"):
    """AuthActor: a credential was accepted."""

    method: AuthMethod
    """Kind of credential."""
    principal: str
    """Who was let in."""
    source_address: str | None = None
    """Where the request came from, as the host says."""
    attempts: int
    """Attempts since the last success, this one included."""


class AuthFailed(AuditEvent, type="auth.failed", outcome="failure", severity="warning"):
    """AuthActor: a credential was refused. The credential itself is never recorded."""

    method: AuthMethod
    """Kind of credential."""
    principal: str
    """The name that was tried."""
    reason: Literal["unknown_user", "bad_credential", "locked", "expired"]
    """Why, for the auditor; the caller is not told."""
    source_address: str | None = None
    """Where the request came from, as the host says."""
    attempts: int
    """Attempts since the last success, this one included."""
