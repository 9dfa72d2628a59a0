"""Attempts with a password: counted, checked aside, and recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from minutebook.actors.accounts import AccountActor
from minutebook.actors.base import Later
from minutebook.actors.ledger.clock import utc_now
from minutebook.actors.lockout import (
    Admission,
    LockoutRules,
    admit,
    counted,
    forgive,
    note_failure,
)
from minutebook.actors.outbox import Outbox
from minutebook.actors.passwords import Checked, Passwords
from minutebook.actors.recording import Recording
from minutebook.domain.context import user_identity_var
from minutebook.domain.errors import AuthenticationFailed
from minutebook.domain.events import AuthFailed, AuthMethod, AuthRefusal

_RETRY_S: Final = 0.02

RULES: Final = LockoutRules()
"""The rules where the host gives no others."""

Check = Callable[[str | None], Checked]
"""Checks a password against a stored hash, or does the work of it against none."""

Accept = Callable[[Recording, int, Checked], Any]
"""Records what follows from a right password, given how many attempts there were; returns the
answer."""


class AttemptingActor(AccountActor):
    """Tries passwords.

    Args:
        service: the host's name.
        outbox: the actor's own.
        rules: when a user is locked.
        passwords: hashes them.
        clock: returns the time, UTC.
    """

    def __init__(
        self,
        service: str,
        outbox: Outbox,
        rules: LockoutRules = RULES,
        passwords: Passwords | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(service, outbox, clock)
        self._rules = rules
        self._passwords = passwords or Passwords()

    def _try(self, name: str, source_address: str | None, check: Check, accept: Accept) -> Later:
        """Try a password: what a handler returns.

        Whoever is locked, and whom there is not, costs the same work and the same writes as
        anybody else: the time of the answer tells no names.
        """
        with self._database.transaction():
            admission = admit(self._database, name, self._rules, self._clock())
        if admission.verdict == "wait":
            return self._later(
                lambda: time.sleep(_RETRY_S),
                lambda _: self._try(name, source_address, check, accept),
            )

        def conclude(checked: Checked) -> Any:
            return self._conclude(name, source_address, admission, checked, check, accept)

        return self._later(lambda: check(admission.password_hash), conclude)

    def _conclude(
        self,
        name: str,
        source_address: str | None,
        admission: Admission,
        checked: Checked,
        check: Check,
        accept: Accept,
    ) -> Any:
        with self._recorded() as recording:
            row = self._database.row(
                "SELECT password_hash, disabled_at FROM users WHERE name = ?", (name,)
            )
            if checked.matches and row and row["password_hash"] != admission.password_hash:
                # Another process has changed it, or hashed it anew.
                stored = row["password_hash"]
                again = Admission("admitted", stored)
                return self._later(
                    lambda: check(stored),
                    lambda later: self._conclude(name, source_address, again, later, check, accept),
                )
            reason: AuthRefusal
            if row is None:
                reason = "unknown_user"
            elif admission.verdict == "locked":
                reason = "locked"
            elif not checked.matches:
                reason = "bad_credential"
            elif row["disabled_at"] is not None:
                reason = "disabled"
            else:
                attempts = counted(self._database, name).attempts
                forgive(self._database, name)
                return accept(recording, attempts, checked)
            self._tell_refusal(recording, name, reason, source_address)
        raise not_accepted("password")

    def _tell_refusal(
        self, recording: Recording, name: str, reason: AuthRefusal, source_address: str | None
    ) -> None:
        if reason == "locked":
            count = counted(self._database, name)
        else:
            count = note_failure(self._database, name, self._rules, self._clock())
        recording.tell(
            AuthFailed(
                user_identity=user_identity_var.get() or name,
                outcome_reason=reason,
                method="password",
                principal=name,
                reason=reason,
                source_address=source_address,
                attempts=count.attempts,
                locked_until=count.lock_ends_at,
            )
        )


def not_accepted(method: AuthMethod) -> AuthenticationFailed:
    """Return the error that refuses a credential, without a word on why."""
    return AuthenticationFailed(
        f"the {method} was not accepted; check the name and the {method}, and try again."
    )
