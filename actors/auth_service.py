"""The caller's side of the AuthActor."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SecretStr
from pykka import Future

from minutebook.actors.base import Service
from minutebook.domain.commands import (
    AllowDelegation,
    AuthenticatePassword,
    AuthenticateToken,
    ChangePassword,
    CreateToken,
    CreateUser,
    DeleteUser,
    DisableUser,
    EnableUser,
    GetUser,
    GrantRole,
    ListDelegations,
    ListTokens,
    ListUsers,
    RequireRole,
    ResetPassword,
    RevokeDelegation,
    RevokeRole,
    RevokeToken,
    UnlockUser,
)
from minutebook.domain.state import ApiToken, Delegation, Principal, TokenInfo, User


class Auth(Service):
    """``system.auth``: each call returns a future; errors are raised by its ``get``.

    The host is trusted: what it offers to its own users it guards itself, with `require_role`.
    """

    # In each call a credential in clear is replaced before anything can be raised: a traceback
    # may be shown with the locals of its frames.

    def create_user(
        self, name: str, password: str | SecretStr, *, roles: Sequence[str] = ()
    ) -> Future[User]:
        """Make a user with a password of at least 8 characters; `UserExists` when taken."""
        password = _secret(password)
        return self.ask(CreateUser(name=name, password=password, roles=_words(roles)))

    def get_user(self, name: str) -> Future[User]:
        """Look up one user; `UnknownUser` when there is none.

        So do the calls below that change one; lists of what nobody has are empty.
        """
        return self.ask(GetUser(name=name))

    def list_users(self) -> Future[tuple[User, ...]]:
        """List the users, by name."""
        return self.ask(ListUsers())

    def disable_user(self, name: str, *, close_sessions: bool = True) -> Future[User]:
        """Let a user in no more, by password or token, nor agents on the user's behalf.

        Args:
            close_sessions: whether to close the user's sessions, and those of such agents.
        """
        return self.ask(DisableUser(name=name, close_sessions=close_sessions))

    def enable_user(self, name: str) -> Future[User]:
        """Let a disabled user in again."""
        return self.ask(EnableUser(name=name))

    def delete_user(self, name: str) -> Future[User]:
        """Delete a user with tokens, roles and delegations; close the user's sessions."""
        return self.ask(DeleteUser(name=name))

    def grant_role(self, user: str, role: str) -> Future[User]:
        """Give a user a role, a word of the host's; nothing when the user has it."""
        return self.ask(GrantRole(name=user, role=role))

    def revoke_role(self, user: str, role: str) -> Future[User]:
        """Take a role from a user; nothing when the user has it not."""
        return self.ask(RevokeRole(name=user, role=role))

    def require_role(self, role: str, *, user: str | None = None) -> Future[User]:
        """Return the user who has a role; `PermissionDenied`, recorded, when there is none.

        Args:
            role: which.
            user: whose; when not given, of the person for whom the bound identity acts, which
                that person must allow, or else of the bound identity.
        """
        return self.ask(RequireRole(role=role, user_name=user))

    def change_password(
        self,
        name: str,
        old: str | SecretStr,
        new: str | SecretStr,
        *,
        source_address: str | None = None,
        close_sessions: bool = True,
    ) -> Future[User]:
        """Replace one's own password; `AuthenticationFailed` as from `authenticate`.

        Args:
            name: whose.
            old: the password until now.
            new: that from here on, of at least 8 characters.
            source_address: where the request comes from, for the record.
            close_sessions: whether to close the user's sessions, that in which this is asked
                included.
        """
        old, new = _secret(old), _secret(new)
        return self.ask(
            ChangePassword(
                name=name,
                old=old,
                new=new,
                source_address=source_address,
                close_sessions=close_sessions,
            )
        )

    def reset_password(
        self, name: str, new: str | SecretStr, *, close_sessions: bool = True
    ) -> Future[User]:
        """Replace a user's password as an administrator; a lock-out ends."""
        new = _secret(new)
        return self.ask(ResetPassword(name=name, new=new, close_sessions=close_sessions))

    def unlock_user(self, name: str) -> Future[User]:
        """End a user's lock-out, and forget the wrong passwords; nothing when there are none."""
        return self.ask(UnlockUser(name=name))

    def allow_delegation(
        self, person: str, agent: str, *, expires_in: float | None = None
    ) -> Future[Delegation]:
        """Let an agent, a user too, act for a person; in place of what was allowed before.

        Args:
            person: who allows it.
            agent: who may then give ``on_behalf_of=person`` to `authenticate_token`.
            expires_in: seconds that it holds; until it is revoked when not given.
        """
        return self.ask(AllowDelegation(name=person, agent=agent, expires_in_s=expires_in))

    def revoke_delegation(self, person: str, agent: str) -> Future[Delegation]:
        """Let an agent act for a person no more, and close the agent's sessions for that person.

        `UnknownDelegation` when it was not allowed.
        """
        return self.ask(RevokeDelegation(name=person, agent=agent))

    def list_delegations(self, person: str | None = None) -> Future[tuple[Delegation, ...]]:
        """List who may act for whom, or for one person, expired ones included."""
        return self.ask(ListDelegations(person=person))

    def create_token(
        self,
        user_name: str,
        *,
        label: str,
        expires_in: float | None = None,
        scopes: Sequence[str] = (),
    ) -> Future[ApiToken]:
        """Make an API token; its secret is shown this once.

        Args:
            user_name: whose.
            label: what it is for.
            expires_in: seconds that it is accepted; until it is revoked when not given.
            scopes: what may be done with it, in words of the host's, which `Principal.scopes`
                gives back.
        """
        return self.ask(
            CreateToken(name=user_name, label=label, expires_in_s=expires_in, scopes=_words(scopes))
        )

    def list_tokens(self, user_name: str | None = None) -> Future[tuple[TokenInfo, ...]]:
        """List all tokens, or a user's, without secrets, oldest first, revoked ones included."""
        return self.ask(ListTokens(user_name=user_name))

    def revoke_token(self, token_id: str) -> Future[TokenInfo]:
        """Accept a token no more, and close its sessions; `UnknownToken` when there is none."""
        return self.ask(RevokeToken(token_id=token_id))

    def authenticate(
        self, name: str, password: str | SecretStr, *, source_address: str | None = None
    ) -> Future[Principal]:
        """Check a password; `AuthenticationFailed` when it or the name is wrong.

        So it is for a disabled user, and for a locked one: after several wrong passwords in a
        row none is accepted for a while, each time for twice as long. The trail knows which; the
        caller learns it neither from the message nor from the time that it takes.

        Args:
            name: whose.
            password: which.
            source_address: where the request comes from, for the record.
        """
        password = _secret(password)
        return self.ask(
            AuthenticatePassword(name=name, password=password, source_address=source_address)
        )

    def authenticate_token(
        self,
        secret: str | SecretStr,
        *,
        on_behalf_of: str | None = None,
        source_address: str | None = None,
    ) -> Future[Principal]:
        """Check an API token; `AuthenticationFailed` when it is not accepted.

        Args:
            secret: the token.
            on_behalf_of: the person for whom its user acts; `PermissionDenied`, recorded, unless
                that person has allowed it with `allow_delegation`.
            source_address: where the request comes from, for the record.
        """
        secret = _secret(secret)
        return self.ask(
            AuthenticateToken(
                secret=secret, on_behalf_of=on_behalf_of, source_address=source_address
            )
        )


def _secret(text: str | SecretStr) -> SecretStr:
    # What is no text is wrapped as well, and refused by the command.
    return text if isinstance(text, SecretStr) else SecretStr(text)


def _words(words: str | Sequence[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)
