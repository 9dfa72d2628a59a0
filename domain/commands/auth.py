"""What may be asked of the AuthActor."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from minutebook.domain.commands.base import Command, Name


class CreateUser(Command):
    """Make a user; answered with the `User`."""

    name: Name
    password: Annotated[SecretStr, Field(min_length=8, max_length=1000)]


class ListUsers(Command):
    """Answered with a tuple of `User`, by name."""

    audited = False


class DeleteUser(Command):
    """Delete a user with all tokens; answered with the `User`."""

    name: Name


class CreateToken(Command):
    """Make an API token; answered with the `ApiToken`."""

    user_name: Name
    label: Name


class AuthenticatePassword(Command):
    """Check a password; answered with a `Principal`."""

    name: Name
    password: Annotated[SecretStr, Field(max_length=1000)]
    source_address: Name | None = None


class AuthenticateToken(Command):
    """Check an API token; answered with a `Principal`."""

    secret: Annotated[SecretStr, Field(max_length=1000)]
    source_address: Name | None = None
