"""What the AuthActor does with users: making, disabling and deleting them."""

from __future__ import annotations

from minutebook.actors.accounts import OWN_AND_FOR, insert_role
from minutebook.actors.attempts import AttemptingActor
from minutebook.actors.base import Later, handles
from minutebook.actors.lockout import forgive
from minutebook.actors.user_records import all_users, known_user
from minutebook.domain.commands import (
    CreateUser,
    DeleteUser,
    DisableUser,
    EnableUser,
    GetUser,
    ListUsers,
    UnlockUser,
)
from minutebook.domain.entry import to_microseconds
from minutebook.domain.errors import UserExists
from minutebook.domain.events import EntityDeleted, UserCreated
from minutebook.domain.fitting import fit_texts
from minutebook.domain.state import User


class UserActor(AttemptingActor):
    """Makes users, and lets them in or not."""

    @handles(CreateUser)
    def create_user(self, command: CreateUser) -> Later:
        """Make a user."""
        return self._later(
            lambda: self._passwords.hash(command.password),
            lambda password_hash: self._insert_user(command, password_hash),
        )

    def _insert_user(self, command: CreateUser, password_hash: str) -> User:
        now = self._clock()
        with self._recorded() as recording:
            if self._database.row("SELECT 1 FROM users WHERE name = ?", (command.name,)):
                msg = f"a user {command.name!r} exists already; choose another name."
                raise UserExists(msg)
            self._database.execute(
                "INSERT INTO users (name, password_hash, created_at) VALUES (?, ?, ?)",
                (command.name, password_hash, to_microseconds(now)),
            )
            for role in sorted(set(command.roles)):
                insert_role(self._database, command.name, role, now)
            user = known_user(self._database, command.name)
            recording.tell(UserCreated(user_name=user.name, roles=user.roles, occurred_at=now))
        return user

    @handles(GetUser)
    def get_user(self, command: GetUser) -> User:
        """Look up one user."""
        return known_user(self._database, command.name)

    @handles(ListUsers)
    def list_users(self, command: ListUsers) -> tuple[User, ...]:
        """List the users."""
        return all_users(self._database)

    @handles(DisableUser)
    def disable_user(self, command: DisableUser) -> User:
        """Let a user in no more."""
        now = self._clock()
        with self._recorded() as recording:
            user = known_user(self._database, command.name)
            if user.disabled_at is None:
                self._database.execute(
                    "UPDATE users SET disabled_at = ? WHERE name = ?",
                    (to_microseconds(now), user.name),
                )
                told = self._tell_change(recording, user.name, "disabled")
                if command.close_sessions:
                    self._end_sessions(recording, OWN_AND_FOR, (user.name,), "user_disabled", told)
            return known_user(self._database, user.name)

    @handles(EnableUser)
    def enable_user(self, command: EnableUser) -> User:
        """Let a disabled user in again."""
        with self._recorded() as recording:
            user = known_user(self._database, command.name)
            if user.disabled_at is not None:
                self._database.execute(
                    "UPDATE users SET disabled_at = NULL WHERE name = ?", (user.name,)
                )
                self._tell_change(recording, user.name, "enabled")
            return known_user(self._database, user.name)

    @handles(DeleteUser)
    def delete_user(self, command: DeleteUser) -> User:
        """Delete a user, and all that goes with one."""
        with self._recorded() as recording:
            user = known_user(self._database, command.name)
            gone = [
                *self._described(
                    "API token",
                    "label FROM tokens WHERE user_name = ?1"
                    " AND revoked_at IS NULL ORDER BY created_at, rowid",
                    user,
                ),
                *(f"role {role!r}" for role in user.roles),
                *self._described(
                    "delegation to", "agent FROM delegations WHERE person = ?1 ORDER BY agent", user
                ),
                *self._described(
                    "delegation from",
                    "person FROM delegations WHERE agent = ?1 ORDER BY person",
                    user,
                ),
            ]
            deleted = EntityDeleted(entity_type="user", entity_id=user.name, removed=())
            sessions = self._end_sessions(
                recording, OWN_AND_FOR, (user.name,), "user_deleted", deleted.id
            )
            gone += [f"open session {session_id}" for session_id in sessions]
            removed, more = fit_texts(gone)
            if more:
                removed += (f"{more} more",)
            self._database.execute("DELETE FROM users WHERE name = ?", (user.name,))
            recording.tell(deleted.model_copy(update={"removed": removed}))
        return user

    def _described(self, what: str, select: str, user: User) -> list[str]:
        rows = self._database.rows(f"SELECT {select}", (user.name,))
        return [f"{what} {next(iter(row.values()))!r}" for row in rows]

    @handles(UnlockUser)
    def unlock_user(self, command: UnlockUser) -> User:
        """End a user's lock-out."""
        with self._recorded() as recording:
            user = known_user(self._database, command.name)
            if user.failed_attempts:
                forgive(self._database, user.name)
                self._tell_change(recording, user.name, "unlocked")
            return known_user(self._database, user.name)
