"""What runs of plans in this process, each on a thread of its own, and how it is ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from minutebook.actors.ledger.flag import Flag

CANCELLED: Final = "its plan was cancelled"
"""Why something is stopped by a cancel."""

CLOSED: Final = "the audit system was closed"
"""Why something is stopped by the end of the system."""

END_S: Final = 30.0
"""How long something that was told to stop may take, before it is said that it has not."""


class Stoppable(Protocol):
    """A work, or an apply."""

    def stop(self, because: str) -> None:
        """Have it end soon."""


Run = TypeVar("Run", bound=Stoppable)


class Running(Generic[Run]):
    """The runs of one sort, by plan."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[Run, Flag]] = {}

    def start(self, plan_id: str, run: Run, body: Callable[[], None]) -> None:
        """Run something of a plan on a thread of its own."""
        ended = Flag()
        with self._lock:
            self._runs[plan_id] = run, ended

        def go() -> None:
            try:
                body()
            finally:
                with self._lock:
                    if self._runs.get(plan_id) == (run, ended):
                        del self._runs[plan_id]
                ended.set()

        threading.Thread(target=go, name=f"plan-{plan_id}", daemon=True).start()

    def of(self, plan_id: str) -> tuple[Run, Flag] | None:
        """Return what runs of a plan, and what is set when it has ended."""
        with self._lock:
            return self._runs.get(plan_id)

    def all(self) -> list[tuple[Run, Flag]]:
        """Return what runs."""
        with self._lock:
            return list(self._runs.values())
