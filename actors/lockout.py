"""Lock-out: how many wrong passwords a user may be given, and how long none is tried then.

The count is in the app database, and goes up before a password is checked: neither a restart,
nor a kill, nor several processes at once win anybody a further try. A right password sets it
to nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from minutebook.actors.appdb import AppDatabase
from minutebook.domain.entry import to_microseconds

ATTEMPT_S: Final = 30.0
"""How long a check may take, and wait for others, before who began it is taken for dead."""

_DOUBLINGS_MAX: Final = 60


class LockoutRules(NamedTuple):
    """When a user is locked, and for how long."""

    attempts: int = 5
    """Wrong passwords in a row before the first lock; after each lock, one more brings the next."""
    base_s: float = 30.0
    """Seconds of the first lock; each next is twice as long."""
    cap_s: float = 3600.0
    """Most seconds of a lock."""

    def lock_s(self, failed: int) -> float:
        """Return the seconds of the lock after so many wrong passwords; 0 for none."""
        if failed < self.attempts:
            return 0.0
        doublings = min(failed - self.attempts, _DOUBLINGS_MAX)
        return float(min(self.cap_s, self.base_s * 2**doublings))


class Admission(NamedTuple):
    """Whether a password is to be checked."""

    verdict: Literal["admitted", "wait", "locked", "unknown_user"]
    """``wait``: attempts that are being checked elsewhere may use up, or give back, the tries."""
    password_hash: str | None = None
    """What to check against, if admitted."""


class Counted(NamedTuple):
    """An attempt that failed."""

    attempts: int
    """How many since the last success, this one included."""
    lock_ends_at: datetime | None
    """Until when none is tried."""


def admit(database: AppDatabase, name: str, rules: LockoutRules, now: datetime) -> Admission:
    """Count an attempt before it is made, if it may be.

    Called in a transaction. Unknown, known and locked names cost a write each, for the time of
    it must not tell them apart.
    """
    row = database.row(
        "SELECT password_hash, failed_attempts, tried_at, lock_ends_at FROM users WHERE name = ?",
        (name,),
    )
    if row is None:
        database.execute(
            "INSERT INTO unknown_attempts (id, attempts) VALUES (1, 1)"
            " ON CONFLICT DO UPDATE SET attempts = attempts + 1"
        )
        return Admission("unknown_user")
    if row["lock_ends_at"] is not None and row["lock_ends_at"] > now:
        database.execute(
            "UPDATE users SET refused_attempts = refused_attempts + 1 WHERE name = ?", (name,)
        )
        return Admission("locked")
    used_up = row["failed_attempts"] >= rules.attempts and row["lock_ends_at"] is None
    if used_up and row["tried_at"] is not None:
        since = now - row["tried_at"]
        # A clock that was set back would have it wait for long.
        if timedelta(0) <= since < timedelta(seconds=ATTEMPT_S):
            return Admission("wait")
    database.execute(
        "UPDATE users SET failed_attempts = failed_attempts + 1, tried_at = ?,"
        " lock_ends_at = NULL WHERE name = ?",
        (to_microseconds(now), name),
    )
    return Admission("admitted", row["password_hash"])


def note_failure(database: AppDatabase, name: str, rules: LockoutRules, now: datetime) -> Counted:
    """Lock a user whose tries are used up, after an attempt that was admitted has failed."""
    row = database.row("SELECT failed_attempts, lock_ends_at FROM users WHERE name = ?", (name,))
    if row is None:
        return Counted(1, None)
    lock_s = rules.lock_s(row["failed_attempts"])
    if lock_s:
        ends_at = now + timedelta(seconds=lock_s)
        database.execute(
            "UPDATE users SET lock_ends_at = ? WHERE name = ?", (to_microseconds(ends_at), name)
        )
    return counted(database, name)


def counted(database: AppDatabase, name: str) -> Counted:
    """Return how many attempts there were since the last success, and the lock if there is one."""
    row = database.row(
        "SELECT failed_attempts + refused_attempts AS attempts, lock_ends_at"
        " FROM users WHERE name = ?",
        (name,),
    )
    # None, or nothing counted: a success, or a deletion, in another process meanwhile.
    return (
        Counted(1, None) if row is None else Counted(max(1, row["attempts"]), row["lock_ends_at"])
    )


def forgive(database: AppDatabase, name: str) -> None:
    """Forget what was counted, and end a lock: after a success, or by an administrator."""
    database.execute(
        "UPDATE users SET failed_attempts = 0, refused_attempts = 0, tried_at = NULL,"
        " lock_ends_at = NULL WHERE name = ?",
        (name,),
    )
