"""What the AuthActor does with API tokens."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from minutebook.actors.accounts import AccountActor
from minutebook.actors.attempts import not_accepted
from minutebook.actors.base import handles
from minutebook.actors.permissions import undelegated
from minutebook.actors.recording import Recording
from minutebook.actors.user_records import known_user, valid_delegation
from minutebook.domain.commands import AuthenticateToken, CreateToken, ListTokens, RevokeToken
from minutebook.domain.context import on_behalf_of_var, user_identity_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import PermissionDenied, UnknownToken
from minutebook.domain.events import (
    AuthFailed,
    AuthRefusal,
    AuthSucceeded,
    TokenCreated,
    TokenRevoked,
)
from minutebook.domain.state import ApiToken, Principal, TokenInfo

TOKEN_PREFIX: Final = "mbk_"
"""How every API token begins, so that secret scanners can know one."""

_TOKEN_BYTES = 32
_UNKNOWN: Final = "unknown"
_COLUMNS = "token_id, user_name, label, scopes, created_at, expires_at, last_used_at, revoked_at"


class TokenActor(AccountActor):
    """Makes, checks and revokes tokens: 256 random bits, kept as SHA-256 digests.

    Nobody can guess one, so there is no lock-out, and wrong passwords do not lock out a token.
    """

    @handles(CreateToken)
    def create_token(self, command: CreateToken) -> ApiToken:
        """Make an API token for a user."""
        now = self._clock()
        expires_in_s = command.expires_in_s
        with self._recorded() as recording:
            token = ApiToken(
                token_id=new_id(),
                user_name=known_user(self._database, command.name).name,
                label=command.label,
                scopes=command.scopes,
                created_at=now,
                expires_at=None if expires_in_s is None else now + timedelta(seconds=expires_in_s),
                secret=SecretStr(TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)),
            )
            self._database.execute(
                "INSERT INTO tokens (token_id, user_name, label, digest, created_at, scopes,"
                " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    token.token_id,
                    token.user_name,
                    token.label,
                    _digest(token.secret),
                    to_microseconds(now),
                    json.dumps(token.scopes),
                    None if token.expires_at is None else to_microseconds(token.expires_at),
                ),
            )
            recording.tell(
                TokenCreated(
                    token_id=token.token_id,
                    user_name=token.user_name,
                    label=token.label,
                    scopes=token.scopes,
                    expires_at=token.expires_at,
                    occurred_at=now,
                )
            )
        return token

    @handles(ListTokens)
    def list_tokens(self, command: ListTokens) -> tuple[TokenInfo, ...]:
        """List tokens, without their secrets."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM tokens WHERE ?1 IS NULL OR user_name = ?1"
            " ORDER BY created_at, rowid",
            (command.user_name,),
        )
        return tuple(_token(row) for row in rows)

    @handles(RevokeToken)
    def revoke_token(self, command: RevokeToken) -> TokenInfo:
        """Accept a token no more; one that was revoked before stays as it is."""
        now = self._clock()
        with self._recorded() as recording:
            row = self._database.row(
                f"SELECT {_COLUMNS} FROM tokens WHERE token_id = ?", (command.token_id,)
            )
            if row is None:
                msg = f"no token has the id {command.token_id!r}; list_tokens() names those."
                raise UnknownToken(msg)
            token = _token(row)
            if token.revoked_at is not None:
                return token
            self._database.execute(
                "UPDATE tokens SET revoked_at = ? WHERE token_id = ?",
                (to_microseconds(now), token.token_id),
            )
            revoked = TokenRevoked(
                token_id=token.token_id,
                user_name=token.user_name,
                label=token.label,
                occurred_at=now,
            )
            recording.tell(revoked)
            self._end_sessions(
                recording, "token_id = ?1", (token.token_id,), "token_revoked", revoked.id
            )
        return token.model_copy(update={"revoked_at": now})

    @handles(AuthenticateToken)
    def authenticate_token(self, command: AuthenticateToken) -> Principal:
        """Check an API token, and whether its user may act for a person."""
        now, person = self._clock(), command.on_behalf_of
        with self._recorded() as recording:
            row = self._database.row(
                "SELECT token_id, user_name, scopes, expires_at, revoked_at, disabled_at"
                " FROM tokens JOIN users ON users.name = user_name WHERE digest = ?",
                (_digest(command.secret),),
            )
            if (reason := _refusal(row, now)) is not None:
                self._tell_refusal_of_token(recording, row, reason, command.source_address)
            elif row is not None:
                name = row["user_name"]
                if person is None or valid_delegation(self._database, person, name, now):
                    return self._accept(recording, row, command, now)
                recording.tell(undelegated(name, person))
        if reason is not None:
            raise not_accepted("token")
        msg = f"{person!r} does not let this token's user act for them; have them allow it first."
        raise PermissionDenied(msg)

    def _accept(
        self, recording: Recording, row: dict[str, Any], command: AuthenticateToken, now: datetime
    ) -> Principal:
        name, person = row["user_name"], command.on_behalf_of
        self._database.execute(
            "UPDATE tokens SET last_used_at = ? WHERE token_id = ?",
            (to_microseconds(now), row["token_id"]),
        )
        recording.tell(
            AuthSucceeded(
                user_identity=user_identity_var.get() or name,
                on_behalf_of=person or on_behalf_of_var.get(),
                method="token",
                principal=name,
                source_address=command.source_address,
                attempts=1,
            )
        )
        return Principal(
            name=name,
            method="token",
            on_behalf_of=person,
            scopes=tuple(json.loads(row["scopes"])),
            token_id=row["token_id"],
        )

    def _tell_refusal_of_token(
        self,
        recording: Recording,
        row: dict[str, Any] | None,
        reason: AuthRefusal,
        source_address: str | None,
    ) -> None:
        name = _UNKNOWN if row is None else row["user_name"]
        recording.tell(
            AuthFailed(
                user_identity=user_identity_var.get() or name,
                outcome_reason=reason,
                method="token",
                principal=name,
                reason=reason,
                source_address=source_address,
                attempts=1,
            )
        )


def _refusal(row: dict[str, Any] | None, now: datetime) -> AuthRefusal | None:
    if row is None:
        return "bad_credential"
    if row["revoked_at"] is not None:
        return "revoked"
    if row["expires_at"] is not None and row["expires_at"] <= now:
        return "expired"
    return "disabled" if row["disabled_at"] is not None else None


def _token(row: dict[str, Any]) -> TokenInfo:
    return TokenInfo(**{**row, "scopes": json.loads(row["scopes"])})


def _digest(secret: SecretStr) -> bytes:
    # An error of the codec's would hold the secret, and a log show it.
    return hashlib.sha256(secret.get_secret_value().encode("utf-8", "surrogatepass")).digest()
