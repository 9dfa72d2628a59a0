"""The system that we come from, as it was later fixed: a bounded queue and one daemon thread."""

import queue
import threading
from pathlib import Path

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import OrderShipped, build, to_row

QUEUE_MAX = 10_000


class OriginalFixed(Peer):
    """`Queue.put` in the caller; the thread commits each row."""

    title = "our origin, later fixed: queue, thread"
    kind = "origin"
    needs = ("pydantic",)
    returns = "memory"

    def open(self, directory: Path) -> None:
        """Open the table, and start the thread."""
        self._connection = sqlite_file.connect(directory / "fixed.db", "WAL")
        self.settings = {**sqlite_file.settings_of(self._connection), "queue_max": QUEUE_MAX}
        self._queue: queue.Queue[OrderShipped | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._store_all, daemon=True)
        self._thread.start()

    def _store_all(self) -> None:
        while (event := self._queue.get()) is not None:
            self._connection.execute(sqlite_file.INSERT, to_row(event))
            self._connection.commit()
            self._queue.task_done()

    def emit(self) -> None:
        """Build it, and put it; waits while the queue is full."""
        self._queue.put(build())

    def drain(self) -> None:
        """Wait for the thread."""
        self._queue.join()

    def close(self) -> None:
        """Stop the thread, and close the file."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def count(self, directory: Path) -> int:
        """Count the rows."""
        return sqlite_file.count_rows(directory / "fixed.db")
