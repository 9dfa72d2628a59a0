"""What Minutebook's own holders have beyond those of hosts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from minutebook.actors.cancelling.context import Context
from minutebook.domain.resources import Freed, HeldResource


class OwnHolder:
    """A holder that is made for one cancellation.

    Args:
        context: the cancellation.
    """

    name: ClassVar[str]
    """As of a `Holder`."""
    tells: ClassVar[bool] = False
    """Whether the release of each resource is told by who does it, with an event of its own."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._plan_id = context.plan_id

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        """See `Holder.held`."""
        raise NotImplementedError

    def prepare(self, held: Sequence[HeldResource]) -> None:
        """Do what concerns all of them, before the first is released."""

    def release(self, resource: HeldResource) -> Freed:
        """See `Holder.release`."""
        raise NotImplementedError

    def end(self) -> None:
        """Called at the end, also when something was raised."""

    def _holds(self, kind: str, id: str, since: datetime | None) -> HeldResource:
        return HeldResource(kind=kind, id=id, plan_id=self._plan_id, since=since, owner=self.name)
