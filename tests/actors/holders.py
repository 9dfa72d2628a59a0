"""Holders of a host, good and bad."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from minutebook.domain.resources import Freed, HeldResource


class Shelf:
    """Holds some things for each plan, and does as it is told when one is to be released.

    Args:
        name: the holder's.
        things: ids of what it holds of every plan.
        at_release: called first with each that is released; may raise or wait.
        at_held: called first when it is asked what it holds.
    """

    def __init__(
        self,
        name: str,
        *things: str,
        at_release: Callable[[HeldResource], None] = lambda _: None,
        at_held: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.things = things
        self.released: list[tuple[str, str]] = []
        """Plan and id of what was released, as often as it was."""
        self._at_release = at_release
        self._at_held = at_held

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        self._at_held()
        return [
            HeldResource(kind="shelf", id=thing, plan_id=plan_id, owner=self.name)
            for thing in self.things
        ]

    def release(self, resource: HeldResource) -> Freed:
        self._at_release(resource)
        self.released.append((resource.plan_id, resource.id))
        return Freed(10, 1, 0.25)


class Gate:
    """Closed until it is opened; whoever comes to it waits."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.reached = threading.Event()

    def __call__(self, *_: object) -> None:
        self.reached.set()
        assert self._open.wait(60)

    def open(self) -> None:
        self._open.set()


def refuse(resource: HeldResource) -> None:
    raise OSError(f"{resource.id} is nailed down")


def die(*_: object) -> None:
    raise SystemExit("gone")
