"""How far an apply has come, in the app database: what it takes to bring it to an end.

One intent a plan, from before the plan enters phase apply until nothing of the apply is left.
Its kind is the step; each step is a transaction, and before anything outside is done that
belongs to it. Who finds the intent of a process that died goes on from there:

- `MERGING`: no project was touched; the plan failed.
- `MOVING`: the projects are being moved, and everything needed for it is on the disk; move on.
- `UNDOING`: one of them could not be moved; move all back.
- `ENDING`: what happened was told; the plan's end and the cleaning up may be missing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Intent, Recording

MERGING: Final = "merging"
MOVING: Final = "moving"
UNDOING: Final = "undoing"
ENDING: Final = "ending"


class ApplyRecord:
    """The PlanApplyActor's outbox, for the threads of its applies too.

    Args:
        outbox: the actor's.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._lock = threading.RLock()
        self._under_way: set[str] = set()

    @contextmanager
    def recorded(self) -> Iterator[Recording]:
        """See `Outbox.recorded`; one thread at a time."""
        with self._lock, self._outbox.recorded() as recording:
            yield recording

    def begin(self, plan_id: str, **detail: Any) -> Intent:
        """Note that a plan is about to be applied; `left` gives it to nobody until `forget`."""
        with self._lock:
            self._under_way.add(plan_id)
            try:
                with self._outbox.recorded() as recording:
                    return recording.intend(MERGING, plan_id=plan_id, **detail)
            except BaseException:
                self._under_way.discard(plan_id)
                raise

    def step(self, recording: Recording, intent: Intent, kind: str, **more: Any) -> Intent:
        """Go on to another step, in the transaction of a recording.

        Args:
            recording: of `recorded`.
            intent: the step so far.
            kind: the next one.
            more: added to the intent's detail.
        """
        recording.drop(intent)
        return recording.intend(kind, **{**intent.detail, **more})

    def drop(self, intent: Intent) -> None:
        """The apply has come to its end."""
        with self.recorded() as recording:
            recording.drop(intent)

    def forget(self, plan_id: str) -> None:
        """No thread of this process has the plan's apply any more."""
        with self._lock:
            self._under_way.discard(plan_id)

    def catch_up(self) -> None:
        """See `Outbox.catch_up`."""
        with self._lock:
            self._outbox.catch_up()

    def left(self) -> list[Intent]:
        """Take over the applies that nobody is about to end."""
        with self._lock:
            if not self._outbox.has_intents():
                return []
            return [
                intent
                for intent in self._outbox.orphans()
                if intent.detail["plan_id"] not in self._under_way
            ]

    def close(self) -> None:
        """See `Outbox.close`."""
        with self._lock:
            self._outbox.close()
