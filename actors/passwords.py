"""Hashing and checking passwords, so that neither time nor tracebacks tell anything."""

from __future__ import annotations

import logging
import secrets
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pydantic import SecretStr

from minutebook.domain.errors import PasswordHashingFailed

if TYPE_CHECKING:
    from argon2 import PasswordHasher

logger = logging.getLogger("minutebook.actors")


class Checked(NamedTuple):
    """What checking a password came to."""

    matches: bool
    """Whether it is the right one."""
    new_hash: str | None = None
    """What is to be stored from here on, when that is another hash."""


class Passwords:
    """Argon2id with argon2-cffi's defaults (RFC 9106, low memory); for any thread.

    No frame of a raised error has a password in clear among its locals: errors of the hasher
    are replaced, not chained.

    Args:
        parameters: of `argon2.PasswordHasher`, instead of its defaults.
    """

    def __init__(self, **parameters: int) -> None:
        self._parameters = parameters

    @cached_property
    def _hasher(self) -> PasswordHasher:
        # Imported when the first password comes: hosts that use none do not pay for it.
        from argon2 import PasswordHasher

        return PasswordHasher(**self._parameters)  # type: ignore[arg-type]

    @cached_property
    def _nobodys_hash(self) -> str:
        return self._hasher.hash(secrets.token_hex(16))

    def hash(self, password: SecretStr) -> str:
        """Return what is to be stored of a password.

        Raises:
            PasswordHashingFailed: there is no memory for it.
        """
        try:
            return self._hasher.hash(_encoded(password))
        except Exception as error:  # noqa: BLE001 - its traceback holds the password
            problem = _described(error)
        raise PasswordHashingFailed(problem)

    def check(self, stored: str | None, password: SecretStr) -> Checked:
        """Check a password against a stored hash, or do the same work against nobody's.

        A match whose hash was made with other parameters than are in use now comes with a
        new hash.

        Args:
            stored: the hash; ``None`` where nothing is to match.

        Raises:
            PasswordHashingFailed: there is no memory for it.
        """
        from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

        # Asked for in any case, since making it costs the first of them more than a check.
        nobodys_hash = self._nobodys_hash
        try:
            self._hasher.verify(stored or nobodys_hash, _encoded(password))
        except VerifyMismatchError:
            return Checked(matches=False)
        except (VerificationError, InvalidHashError) as error:
            logger.error(
                "a stored hash cannot be used (%s: %s); reset that user's password",
                type(error).__name__,
                error,
            )
            # It took no time.
            return self.check(None, password)
        except Exception as error:  # noqa: BLE001 - its traceback holds the password
            problem = _described(error)
        else:
            if stored is None:
                return Checked(matches=False)
            outdated = self._hasher.check_needs_rehash(stored)
            return Checked(matches=True, new_hash=self.hash(password) if outdated else None)
        raise PasswordHashingFailed(problem)

    def replace(self, stored: str | None, old: SecretStr, new: SecretStr) -> Checked:
        """Check an old password as `check` does, and hash the new one when it is right."""
        checked = self.check(stored, old)
        return Checked(matches=True, new_hash=self.hash(new)) if checked.matches else checked


def _encoded(secret: SecretStr) -> bytes:
    # An error of the codec's would hold the secret, and a log show it.
    return secret.get_secret_value().encode("utf-8", "surrogatepass")


def _described(error: Exception) -> str:
    return (
        f"argon2 could not hash a password ({type(error).__name__}); nothing was changed: free"
        " memory, and try again."
    )
