"""What the AuthActor does with roles, and with who may act for whom."""

from __future__ import annotations

from datetime import timedelta

from minutebook.actors.accounts import AccountActor, insert_role
from minutebook.actors.base import handles
from minutebook.actors.user_records import (
    delegation_of,
    find_user,
    known_user,
    valid_delegation,
)
from minutebook.domain.commands import (
    AllowDelegation,
    GrantRole,
    ListDelegations,
    RequireRole,
    RevokeDelegation,
    RevokeRole,
)
from minutebook.domain.context import on_behalf_of_var, user_identity_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.errors import PermissionDenied, UnknownDelegation
from minutebook.domain.events import AccessDenied
from minutebook.domain.state import Delegation, User


class PermissionActor(AccountActor):
    """Grants, revokes and requires."""

    @handles(GrantRole)
    def grant_role(self, command: GrantRole) -> User:
        """Give a user a role."""
        with self._recorded() as recording:
            user = known_user(self._database, command.name)
            if command.role not in user.roles:
                insert_role(self._database, user.name, command.role, self._clock())
                self._tell_change(recording, user.name, "role_granted", role=command.role)
            return known_user(self._database, user.name)

    @handles(RevokeRole)
    def revoke_role(self, command: RevokeRole) -> User:
        """Take a role from a user."""
        with self._recorded() as recording:
            user = known_user(self._database, command.name)
            if command.role in user.roles:
                self._database.execute(
                    "DELETE FROM user_roles WHERE user_name = ? AND role = ?",
                    (user.name, command.role),
                )
                self._tell_change(recording, user.name, "role_revoked", role=command.role)
            return known_user(self._database, user.name)

    @handles(RequireRole)
    def require_role(self, command: RequireRole) -> User:
        """Refuse who has not a role."""
        person = None if command.user_name else on_behalf_of_var.get()
        name = command.user_name or person or user_identity_var.get()
        denied = self._denied(name, person, command.role)
        if denied is None:
            return known_user(self._database, str(name))
        with self._recorded() as recording:
            recording.tell(denied)
        raise PermissionDenied(f"{denied.outcome_reason}; ask an administrator for it.")

    def _denied(self, name: str | None, person: str | None, role: str) -> AccessDenied | None:
        agent = user_identity_var.get()
        if person is not None and (
            agent is None or valid_delegation(self._database, person, agent, self._clock()) is None
        ):
            return undelegated(agent, person)
        user = None if name is None else find_user(self._database, name)
        if user is None or user.disabled_at is not None:
            why = f"{name!r} is no user who is let in, and has no role {role!r}"
            return AccessDenied(
                user_name=name, needs="account", wanted=str(name), outcome_reason=why
            )
        if role not in user.roles:
            why = f"{user.name!r} has no role {role!r}"
            return AccessDenied(user_name=name, needs="role", wanted=role, outcome_reason=why)
        return None

    @handles(AllowDelegation)
    def allow_delegation(self, command: AllowDelegation) -> Delegation:
        """Let an agent act for a user."""
        now = self._clock()
        with self._recorded() as recording:
            person = known_user(self._database, command.name)
            agent = known_user(self._database, command.agent)
            expires_at = (
                None
                if command.expires_in_s is None
                else now + timedelta(seconds=command.expires_in_s)
            )
            delegation = Delegation(
                person=person.name, agent=agent.name, allowed_at=now, expires_at=expires_at
            )
            self._database.execute(
                "INSERT OR REPLACE INTO delegations (person, agent, allowed_at, expires_at)"
                " VALUES (?, ?, ?, ?)",
                (
                    person.name,
                    agent.name,
                    to_microseconds(now),
                    None if expires_at is None else to_microseconds(expires_at),
                ),
            )
            self._tell_change(
                recording,
                person.name,
                "delegation_allowed",
                agent=agent.name,
                expires_at=expires_at,
            )
        return delegation

    @handles(RevokeDelegation)
    def revoke_delegation(self, command: RevokeDelegation) -> Delegation:
        """Let an agent act for a user no more."""
        with self._recorded() as recording:
            delegation = delegation_of(self._database, command.name, command.agent)
            if delegation is None:
                msg = (
                    f"{command.name!r} has not allowed {command.agent!r} anything;"
                    " list_delegations() names who may act for whom."
                )
                raise UnknownDelegation(msg)
            both = (delegation.person, delegation.agent)
            self._database.execute("DELETE FROM delegations WHERE person = ? AND agent = ?", both)
            told = self._tell_change(
                recording, delegation.person, "delegation_revoked", agent=delegation.agent
            )
            where = "on_behalf_of = ?1 AND user_identity = ?2"
            self._end_sessions(recording, where, both, "delegation_revoked", told)
        return delegation

    @handles(ListDelegations)
    def list_delegations(self, command: ListDelegations) -> tuple[Delegation, ...]:
        """List who may act for whom."""
        rows = self._database.rows(
            "SELECT * FROM delegations WHERE ?1 IS NULL OR person = ?1 ORDER BY person, agent",
            (command.person,),
        )
        return tuple(Delegation(**row) for row in rows)


def undelegated(agent: str | None, person: str) -> AccessDenied:
    """Return what tells that an agent may not act for a person."""
    why = f"{person!r} does not let {agent!r} act for them"
    return AccessDenied(
        user_identity=user_identity_var.get() or agent,
        user_name=agent,
        needs="delegation",
        wanted=person,
        outcome_reason=why,
    )
