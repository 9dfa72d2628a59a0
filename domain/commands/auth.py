"""What may be asked of the AuthActor."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from minutebook.domain.commands.base import Command, Name

SECONDS_MAX = 100 * 365 * 86_400
"""Limit of a `Seconds`: about a century."""

Seconds = Annotated[float, Field(gt=0, le=SECONDS_MAX)]
"""A span of time that ends."""


def _check_is_text(secret: object) -> object:
    # The type SecretStr looks at what it holds no closer.
    if isinstance(secret, SecretStr) and not isinstance(secret.get_secret_value(), str):
        msg = "give text, or a SecretStr of text, such as a token's secret"
        raise ValueError(msg)
    return secret


NewPassword = Annotated[
    SecretStr, Field(min_length=8, max_length=1000), BeforeValidator(_check_is_text)
]
"""A password to be set."""

Password = Annotated[SecretStr, Field(max_length=1000), BeforeValidator(_check_is_text)]
"""A password or token to be checked."""


class UserCommand(Command):
    """Base of what is asked about one user: done in the order in which it was asked."""

    name: Name


class CreateUser(UserCommand):
    """Make a user; answered with the `User`."""

    password: NewPassword
    roles: tuple[Name, ...] = ()


class GetUser(UserCommand):
    """Answered with the `User`."""

    audited = False


class ListUsers(Command):
    """Answered with a tuple of `User`, by name."""

    audited = False


class DisableUser(UserCommand):
    """Let a user in no more; answered with the `User`."""

    close_sessions: bool = True


class EnableUser(UserCommand):
    """Let a disabled user in again; answered with the `User`."""


class DeleteUser(UserCommand):
    """Delete a user with all that is the user's; answered with the `User`."""


class GrantRole(UserCommand):
    """Give a user a role; answered with the `User`."""

    role: Name


class RevokeRole(UserCommand):
    """Take a role from a user; answered with the `User`."""

    role: Name


class RequireRole(Command):
    """Refuse who has not a role; answered with the `User` who has it."""

    role: Name
    user_name: Name | None = None


class ChangePassword(UserCommand):
    """Replace a password by whoever knows the old one; answered with the `User`."""

    old: Password
    new: NewPassword
    source_address: Name | None = None
    close_sessions: bool = True


class ResetPassword(UserCommand):
    """Replace a password as an administrator; answered with the `User`."""

    new: NewPassword
    close_sessions: bool = True


class UnlockUser(UserCommand):
    """End a user's lock-out; answered with the `User`."""


class AllowDelegation(UserCommand):
    """Let an agent act for a user; answered with the `Delegation`."""

    agent: Name
    expires_in_s: Seconds | None = None


class RevokeDelegation(UserCommand):
    """Let an agent act for a user no more; answered with the `Delegation`."""

    agent: Name


class ListDelegations(Command):
    """Answered with a tuple of `Delegation`, by person and agent."""

    audited = False
    person: Name | None = None


class CreateToken(UserCommand):
    """Make an API token; answered with the `ApiToken`."""

    label: Name
    expires_in_s: Seconds | None = None
    scopes: tuple[Name, ...] = ()


class ListTokens(Command):
    """Answered with a tuple of `TokenInfo`, oldest first."""

    audited = False
    user_name: Name | None = None


class RevokeToken(Command):
    """Accept an API token no more; answered with its `TokenInfo`."""

    token_id: Name


class AuthenticatePassword(UserCommand):
    """Check a password; answered with a `Principal`."""

    password: Password
    source_address: Name | None = None


class AuthenticateToken(Command):
    """Check an API token; answered with a `Principal`."""

    secret: Password
    source_address: Name | None = None
    on_behalf_of: Name | None = None
