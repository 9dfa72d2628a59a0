"""AuthActor: users and API tokens; says who somebody is, and records each attempt."""

from __future__ import annotations

from minutebook.actors.accounts import OWN
from minutebook.actors.base import Later, handles
from minutebook.actors.lockout import forgive
from minutebook.actors.passwords import Checked
from minutebook.actors.permissions import PermissionActor
from minutebook.actors.recording import Recording
from minutebook.actors.tokens import TokenActor
from minutebook.actors.user_records import known_user
from minutebook.actors.users import UserActor
from minutebook.domain.commands import AuthenticatePassword, ChangePassword, ResetPassword
from minutebook.domain.context import user_identity_var
from minutebook.domain.events import AuthSucceeded, UserChange
from minutebook.domain.state import Principal, User


class AuthActor(UserActor, PermissionActor, TokenActor):
    """Keeps users and tokens, checks credentials, and tells how each check ended.

    What it does with users, with permissions and with tokens has a class each; it has what is
    done with passwords.
    """

    name = "auth"

    @handles(AuthenticatePassword)
    def authenticate_password(self, command: AuthenticatePassword) -> Later:
        """Check a password."""

        def accept(recording: Recording, attempts: int, checked: Checked) -> Principal:
            if checked.new_hash is not None:
                self._store_hash(command.name, checked.new_hash)
            recording.tell(
                AuthSucceeded(
                    user_identity=user_identity_var.get() or command.name,
                    method="password",
                    principal=command.name,
                    source_address=command.source_address,
                    attempts=attempts,
                )
            )
            return Principal(name=command.name, method="password")

        def check(stored: str | None) -> Checked:
            return self._passwords.check(stored, command.password)

        return self._try(command.name, command.source_address, check, accept)

    @handles(ChangePassword)
    def change_password(self, command: ChangePassword) -> Later:
        """Replace a password; a wrong old one counts as any other wrong password."""

        def accept(recording: Recording, attempts: int, checked: Checked) -> User:
            assert checked.new_hash is not None
            return self._set_password(
                recording,
                command.name,
                checked.new_hash,
                "password_changed",
                close_sessions=command.close_sessions,
            )

        def check(stored: str | None) -> Checked:
            return self._passwords.replace(stored, command.old, command.new)

        return self._try(command.name, command.source_address, check, accept)

    @handles(ResetPassword)
    def reset_password(self, command: ResetPassword) -> Later:
        """Replace a password as an administrator; a lock-out ends."""

        def store(new_hash: str) -> User:
            with self._recorded() as recording:
                known_user(self._database, command.name)
                forgive(self._database, command.name)
                return self._set_password(
                    recording,
                    command.name,
                    new_hash,
                    "password_reset",
                    close_sessions=command.close_sessions,
                )

        return self._later(lambda: self._passwords.hash(command.new), store)

    def _set_password(
        self,
        recording: Recording,
        name: str,
        new_hash: str,
        change: UserChange,
        *,
        close_sessions: bool,
    ) -> User:
        self._store_hash(name, new_hash)
        told = self._tell_change(recording, name, change)
        if close_sessions:
            self._end_sessions(recording, OWN, (name,), "password_changed", told)
        return known_user(self._database, name)

    def _store_hash(self, name: str, new_hash: str) -> None:
        self._database.execute(
            "UPDATE users SET password_hash = ? WHERE name = ?", (new_hash, name)
        )
