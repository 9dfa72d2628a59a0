"""Who may begin a session."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.user_records import find_user, valid_delegation
from minutebook.domain.context import on_behalf_of_var, user_identity_var
from minutebook.domain.events import AccessDenied
from minutebook.domain.state import Principal


class Admitted(NamedTuple):
    """For whom a session is, or why it is not to be."""

    identity: str | None
    """Who."""
    on_behalf_of: str | None = None
    """For whom."""
    ends_at: datetime | None = None
    """When the token or the delegation expires that it rests on."""
    denied: AccessDenied | None = None
    """Tells why there may be none."""


def admission(database: AppDatabase, principal: Principal | None, now: datetime) -> Admitted:
    """Say for whom a session is to begin: a principal, or who is bound.

    A principal is asked for anew what was true at the authentication. Of a bound identity the
    host says who it is: it need not be a user, but if it is one, must not be disabled.
    """
    if principal is None:
        identity, person = user_identity_var.get(), on_behalf_of_var.get()
    else:
        identity, person = principal.name, principal.on_behalf_of
    user = None if identity is None else find_user(database, identity)
    if (user is None and principal is not None) or (user and user.disabled_at):
        assert identity is not None
        why = f"there is no user {identity!r}, or it is disabled"
        return _denied(identity, "account", identity, why)
    ends = []
    if principal is not None and principal.token_id is not None:
        token = database.row(
            "SELECT expires_at, revoked_at FROM tokens WHERE token_id = ?", (principal.token_id,)
        )
        expired = token and token["expires_at"] and token["expires_at"] <= now
        if token is None or token["revoked_at"] or expired:
            why = "the token was revoked, or has expired"
            return _denied(identity, "token", principal.token_id, why)
        ends.append(token["expires_at"])
    if person is not None and (principal is not None or (user and find_user(database, person))):
        delegation = valid_delegation(database, person, str(identity), now)
        if delegation is None:
            why = f"{person!r} does not let {identity!r} act for them"
            return _denied(identity, "delegation", person, why)
        ends.append(delegation.expires_at)
    ends_at = min((end for end in ends if end is not None), default=None)
    return Admitted(identity, person, ends_at)


def _denied(
    identity: str | None, needs: Literal["account", "token", "delegation"], wanted: str, why: str
) -> Admitted:
    denied = AccessDenied(user_name=identity, needs=needs, wanted=wanted, outcome_reason=why)
    return Admitted(identity, denied=denied)
