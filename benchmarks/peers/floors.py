"""The floors: what the work costs when nothing is kept."""

from queue import SimpleQueue
from typing import Any

from benchmarks.peers.peer import Peer
from benchmarks.workload import OrderShipped, build, build_plain


class PlainModel(Peer):
    """Builds a plain frozen pydantic model of the same fields."""

    title = "floor: a plain pydantic model"
    kind = "floor"
    needs = ("pydantic",)
    returns = "nothing"
    stores = False

    def emit(self) -> None:
        """Build it."""
        build_plain()


class Construction(Peer):
    """Builds the event, and nothing else."""

    title = "floor: building the event"
    kind = "floor"
    needs = ("pydantic",)
    returns = "nothing"
    stores = False

    def emit(self) -> None:
        """Build it."""
        build()


class NoOp(Peer):
    """Builds the event and hands it to a function that ignores it."""

    title = "floor: a no-op emit"
    kind = "floor"
    needs = ("pydantic",)
    returns = "nothing"
    stores = False

    def emit(self) -> None:
        """Build it, and hand it over."""
        ignore(build())


class PutInQueue(Peer):
    """Builds the event and puts it into a `SimpleQueue`, which nobody empties meanwhile."""

    title = "floor: SimpleQueue.put"
    kind = "floor"
    needs = ("pydantic",)
    returns = "memory"
    stores = False

    def __init__(self) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()

    def emit(self) -> None:
        """Build it, and put it."""
        self._queue.put(build())

    def drain(self) -> None:
        """Forget them."""
        self._queue = SimpleQueue()


def ignore(event: OrderShipped) -> None:
    """Take an event, and do nothing with it."""
