"""A clock that a test sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from minutebook.actors.passwords import Passwords


class Clock:
    """Stands still until a test moves it; begins now, as the actors' other clocks do."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def quick() -> Passwords:
    """Argon2 with the least that it takes: for tests that are not about it."""
    return Passwords(time_cost=1, memory_cost=8, parallelism=1)
