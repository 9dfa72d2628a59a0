"""bubus: `EventBus.dispatch` in an asyncio loop, with a handler that commits to SQLite."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from bubus import BaseEvent, EventBus

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import build, to_row

PENDING_MAX = 45
"""It refuses above 100, and counts each twice; the caller waits before that."""


class Told(BaseEvent[None]):
    """What is dispatched: the row, so that the event is built once like everywhere."""

    row: tuple[Any, ...]


class BubusDispatch(Peer):
    """Dispatches, gives the loop one turn, and waits when 45 are pending."""

    title = "bubus, SQLite handler"
    kind = "bus"
    needs = ("bubus",)
    returns = "memory"

    def open(self, directory: Path) -> None:
        """Start a loop and a bus."""
        logging.getLogger("bubus").setLevel(logging.ERROR)
        self._connection = sqlite_file.connect(directory / "bubus.db", "WAL")
        self.settings = {
            **sqlite_file.settings_of(self._connection),
            "pending_max": PENDING_MAX,
            "max_history_size": 100,
        }
        self._loop = asyncio.new_event_loop()
        self._pending = 0
        self._loop.run_until_complete(self._start())

    async def _start(self) -> None:
        self._bus = EventBus(name="Audit", max_history_size=100)
        self._bus.on(Told, self._store)

    async def _store(self, event: Told) -> None:
        self._connection.execute(sqlite_file.INSERT, event.row)
        self._connection.commit()

    def emit(self) -> None:
        """Build it, and dispatch it."""
        self._loop.run_until_complete(self._dispatch())

    async def _dispatch(self) -> None:
        self._bus.dispatch(Told(row=to_row(build())))
        self._pending += 1
        if self._pending >= PENDING_MAX:
            await self._bus.wait_until_idle()
            self._pending = 0
        else:
            await asyncio.sleep(0)

    def drain(self) -> None:
        """Wait until the bus is idle."""
        self._loop.run_until_complete(self._bus.wait_until_idle())
        self._pending = 0

    def close(self) -> None:
        """Stop the bus."""
        self._loop.run_until_complete(self._bus.stop(timeout=5))
        self._loop.close()
        self._connection.close()

    def count(self, directory: Path) -> int:
        """Count the rows."""
        return sqlite_file.count_rows(directory / "bubus.db")
