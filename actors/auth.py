"""AuthActor: users and API tokens; says who somebody is, and records each attempt."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NoReturn

from pydantic import SecretStr
from pykka import Future

from minutebook.actors.base import Service, StatefulActor, handles
from minutebook.domain.commands import (
    AuthenticatePassword,
    AuthenticateToken,
    CreateToken,
    CreateUser,
    DeleteUser,
    ListUsers,
)
from minutebook.domain.context import user_identity_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import AuthenticationFailed, UnknownUser, UserExists
from minutebook.domain.events import AuthFailed, AuthMethod, AuthSucceeded, EntityDeleted
from minutebook.domain.state import ApiToken, Principal, User

if TYPE_CHECKING:
    from argon2 import PasswordHasher

TOKEN_PREFIX: Final = "mbk_"
"""How every API token begins, so that secret scanners can know one."""

_TOKEN_BYTES = 32
_UNKNOWN: Final = "unknown"


class AuthActor(StatefulActor):
    """Keeps users and tokens, checks credentials, and tells how each check ended.

    Passwords are kept as argon2id hashes with argon2-cffi's defaults (RFC 9106, low memory),
    tokens, which have 256 random bits, as SHA-256 digests.
    """

    name = "auth"

    @cached_property
    def _hasher(self) -> PasswordHasher:
        # Imported when the first password comes: hosts that use none do not pay for it.
        from argon2 import PasswordHasher

        return PasswordHasher()

    @cached_property
    def _nobodys_hash(self) -> str:
        return self._hasher.hash(secrets.token_hex(16))

    @handles(CreateUser)
    def create_user(self, command: CreateUser) -> User:
        """Make a user."""
        user = User(name=command.name, created_at=datetime.now(UTC))
        password_hash = self._hasher.hash(_encoded(command.password))
        with self._database.transaction():
            if self._database.row("SELECT 1 FROM users WHERE name = ?", (user.name,)):
                msg = f"a user {user.name!r} exists already; choose another name."
                raise UserExists(msg)
            self._database.execute(
                "INSERT INTO users (name, password_hash, created_at) VALUES (?, ?, ?)",
                (user.name, password_hash, to_microseconds(user.created_at)),
            )
        return user

    @handles(ListUsers)
    def list_users(self, command: ListUsers) -> tuple[User, ...]:
        """List the users."""
        rows = self._database.rows("SELECT name, created_at FROM users ORDER BY name")
        return tuple(User(**row) for row in rows)

    @handles(DeleteUser)
    def delete_user(self, command: DeleteUser) -> User:
        """Delete a user and the user's tokens."""
        with self._recorded() as recording:
            user = self._known(command.name)
            tokens = self._database.rows(
                "SELECT label FROM tokens WHERE user_name = ? ORDER BY created_at", (user.name,)
            )
            self._database.execute("DELETE FROM users WHERE name = ?", (user.name,))
            recording.tell(
                EntityDeleted(
                    entity_type="user",
                    entity_id=user.name,
                    removed=tuple(f"API token {token['label']!r}" for token in tokens),
                )
            )
        return user

    @handles(CreateToken)
    def create_token(self, command: CreateToken) -> ApiToken:
        """Make an API token for a user."""
        secret = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        with self._database.transaction():
            self._known(command.user_name)
            token = ApiToken(
                token_id=new_id(),
                user_name=command.user_name,
                label=command.label,
                created_at=datetime.now(UTC),
                secret=SecretStr(secret),
            )
            self._database.execute(
                "INSERT INTO tokens (token_id, user_name, label, digest, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    token.token_id,
                    token.user_name,
                    token.label,
                    _digest(token.secret),
                    to_microseconds(token.created_at),
                ),
            )
        return token

    @handles(AuthenticatePassword)
    def authenticate_password(self, command: AuthenticatePassword) -> Principal:
        """Check a password."""
        row = self._database.row("SELECT password_hash FROM users WHERE name = ?", (command.name,))
        # An unknown user costs a check too: the answer's time must not tell names apart.
        # Asked for in any case, since making it costs the first of them more than a check.
        nobodys_hash = self._nobodys_hash
        expected = nobodys_hash if row is None else row["password_hash"]
        matches = self._matches(expected, _encoded(command.password))
        if row is None or not matches:
            reason: Literal["unknown_user", "bad_credential"] = (
                "unknown_user" if row is None else "bad_credential"
            )
            self._refuse("password", command.name, reason, command.source_address)
        return self._accept("password", command.name, command.source_address)

    @handles(AuthenticateToken)
    def authenticate_token(self, command: AuthenticateToken) -> Principal:
        """Check an API token."""
        row = self._database.row(
            "SELECT user_name FROM tokens WHERE digest = ?",
            (_digest(command.secret),),
        )
        if row is None:
            self._refuse("token", _UNKNOWN, "bad_credential", command.source_address)
        return self._accept("token", row["user_name"], command.source_address)

    def _matches(self, password_hash: str, password: bytes) -> bool:
        from argon2.exceptions import VerificationError

        try:
            return self._hasher.verify(password_hash, password)
        except VerificationError:
            return False

    def _accept(self, method: AuthMethod, name: str, source_address: str | None) -> Principal:
        with self._recorded() as recording:
            failed = self._failed_attempts(name)
            self._database.execute("UPDATE users SET failed_attempts = 0 WHERE name = ?", (name,))
            recording.tell(
                AuthSucceeded(
                    user_identity=user_identity_var.get() or name,
                    method=method,
                    principal=name,
                    source_address=source_address,
                    attempts=failed + 1,
                )
            )
        return Principal(name=name, method=method)

    def _refuse(
        self,
        method: AuthMethod,
        name: str,
        reason: Literal["unknown_user", "bad_credential"],
        source_address: str | None,
    ) -> NoReturn:
        with self._recorded() as recording:
            self._database.execute(
                "UPDATE users SET failed_attempts = failed_attempts + 1 WHERE name = ?", (name,)
            )
            attempts = max(1, self._failed_attempts(name))
            recording.tell(
                AuthFailed(
                    user_identity=user_identity_var.get() or name,
                    outcome_reason=reason,
                    method=method,
                    principal=name,
                    reason=reason,
                    source_address=source_address,
                    attempts=attempts,
                )
            )
        msg = f"the {method} was not accepted; check the name and the {method}, and try again."
        raise AuthenticationFailed(msg)

    def _failed_attempts(self, name: str) -> int:
        row = self._database.row("SELECT failed_attempts FROM users WHERE name = ?", (name,))
        return 0 if row is None else int(row["failed_attempts"])

    def _known(self, name: str) -> User:
        row = self._database.row("SELECT name, created_at FROM users WHERE name = ?", (name,))
        if row is None:
            msg = f"no user is named {name!r}; list_users() names those there are."
            raise UnknownUser(msg)
        return User(**row)


def _digest(secret: SecretStr) -> bytes:
    return hashlib.sha256(_encoded(secret)).digest()


def _encoded(secret: SecretStr) -> bytes:
    # An error of the codec's would hold the secret, and a log show it.
    return secret.get_secret_value().encode("utf-8", "surrogatepass")


class Auth(Service):
    """``system.auth``: each call returns a future; errors are raised by its ``get``."""

    def create_user(self, name: str, password: str | SecretStr) -> Future[User]:
        """Make a user with a password of at least 8 characters; `UserExists` when taken."""
        return self.ask(CreateUser(name=name, password=_secret(password)))

    def list_users(self) -> Future[tuple[User, ...]]:
        """List the users, by name."""
        return self.ask(ListUsers())

    def delete_user(self, name: str) -> Future[User]:
        """Delete a user with all tokens; `UnknownUser` when there is none."""
        return self.ask(DeleteUser(name=name))

    def create_token(self, user_name: str, *, label: str) -> Future[ApiToken]:
        """Make an API token; its secret is shown this once. `UnknownUser` when there is none."""
        return self.ask(CreateToken(user_name=user_name, label=label))

    def authenticate(
        self, name: str, password: str | SecretStr, *, source_address: str | None = None
    ) -> Future[Principal]:
        """Check a password; `AuthenticationFailed` when it or the name is wrong.

        Args:
            source_address: where the request comes from, for the record.
        """
        return self.ask(
            AuthenticatePassword(
                name=name, password=_secret(password), source_address=source_address
            )
        )

    def authenticate_token(
        self, secret: str | SecretStr, *, source_address: str | None = None
    ) -> Future[Principal]:
        """Check an API token; `AuthenticationFailed` when it is not known.

        Args:
            source_address: where the request comes from, for the record.
        """
        return self.ask(AuthenticateToken(secret=_secret(secret), source_address=source_address))


def _secret(text: str | SecretStr) -> SecretStr:
    return text if isinstance(text, SecretStr) else SecretStr(text)
