"""What can hold something of a plan: the protocol that hosts implement, and who is registered.

A cancellation asks every holder what it holds of the plan, and then to release each of it.
Host code runs on a thread of its own for each cancellation: one that hangs or raises hurts
nobody else, and is named in the entry.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from minutebook.domain.errors import InvalidHolder
from minutebook.domain.resources import Freed, HeldResource

OWN_NAMES = frozenset({"apply", "files", "plans", "sandboxes", "sessions"})
"""Names of Minutebook's own holders."""


@runtime_checkable
class Holder(Protocol):
    """Keeps something for plans, and can give it back.

    Both methods are called on a thread of the cancellation's, at times for several plans at
    once; they may block, and raise what they like. A cancellation that was cut off by a crash
    calls them again.
    """

    @property
    def name(self) -> str:
        """A short name, of no other holder of the system."""
        ...

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        """Return what it holds of a plan; nothing for a plan that it does not know."""
        ...

    def release(self, resource: HeldResource) -> Freed:
        """Give one of them back, and return what that freed.

        Harmless for one that is free already: that frees nothing.
        """
        ...


class Holders:
    """The holders that the host has registered.

    Args:
        holders: the first ones.

    Raises:
        InvalidHolder: see `register`.
    """

    def __init__(self, holders: Iterable[Holder] = ()) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, Holder] = {}
        for holder in holders:
            self.register(holder)

    def register(self, holder: Holder) -> None:
        """Ask this one, too, from the next cancellation on.

        Raises:
            InvalidHolder: it is none, or its name is taken.
        """
        if not isinstance(holder, Holder):
            msg = f"{holder!r} is no holder; give it a name, held(plan_id) and release(resource)."
            raise InvalidHolder(msg)
        name = holder.name
        if not isinstance(name, str) or not name.strip():
            msg = f"a holder is called {name!r}; give it a name that can be read in the trail."
            raise InvalidHolder(msg)
        with self._lock:
            if name in OWN_NAMES or name in self._by_name:
                msg = f"there is a holder called {name!r} already; give this one another name."
                raise InvalidHolder(msg)
            self._by_name[name] = holder

    def all(self) -> tuple[Holder, ...]:
        """Return them, in the order in which they were registered."""
        with self._lock:
            return tuple(self._by_name.values())
