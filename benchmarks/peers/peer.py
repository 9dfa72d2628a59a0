"""What a peer is to the benchmarks: open, emit, drain, close, count."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

Kind = Literal["minutebook", "origin", "logging", "bus", "database", "ledger", "actor", "floor"]
"""How the report groups them."""

Returns = Literal["nothing", "memory", "page cache", "disk"]
"""Where an event is when `Peer.emit` returns. What is in memory dies with the process, what is
in the page cache with the machine; nothing: the event is not kept at all, as in a floor."""


class Peer:
    """One way to record an event; runs in a process of its own.

    The order of calls is open, emit many times, drain, close, count. After a kill it is, in a
    new process, open, drain, close, count.
    """

    title: ClassVar[str]
    """What the report calls it."""
    kind: ClassVar[Kind]
    """Its group."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Distributions whose versions belong to the results."""
    returns: ClassVar[Returns]
    """What `emit` has reached when it returns."""
    stores: ClassVar[bool] = True
    """Whether what was emitted can be counted afterwards."""
    many_processes: ClassVar[bool] = False
    """Whether several processes may open the same directory at once."""

    settings: Mapping[str, object] = MappingProxyType({})
    """Read back from what was opened: journal mode, synchronous, sizes."""

    def open(self, directory: Path) -> None:
        """Open what it records into, below the directory; made when missing."""

    def emit(self) -> None:
        """Build one event, and record it."""
        raise NotImplementedError

    def drain(self) -> None:
        """Wait until all that was emitted and not dropped is recorded."""

    def close(self) -> None:
        """Let go of everything."""

    def count(self, directory: Path) -> int:
        """Return how many of the events are recorded, complete; after `close`."""
        raise NotImplementedError

    def commits(self, directory: Path, begun_at_us: int, seconds: float) -> list[float]:
        """Return when commits began, in milliseconds of the span; none where that is unknown."""
        return []
