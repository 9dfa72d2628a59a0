"""The standard library's logging: `QueueHandler` in the caller, `QueueListener` in a thread."""

import logging
import logging.handlers
import queue
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.line_file import NAME, count_lines
from benchmarks.peers.peer import Peer
from benchmarks.workload import build, to_json


class QueueHandler(Peer):
    """A line of JSON into an unbounded queue; a thread writes and flushes each."""

    title = "logging QueueHandler/QueueListener"
    kind = "logging"
    returns = "memory"

    def open(self, directory: Path) -> None:
        """Set up the logger and the listener."""
        self.settings = {"queue": "queue.Queue(-1)", "flush": "each line"}
        self._queue: queue.Queue[Any] = queue.Queue(-1)
        self._file = logging.FileHandler(directory / NAME)
        self._listener = logging.handlers.QueueListener(self._queue, self._file)
        self._listener.start()
        self._logger = logging.getLogger("benchmark.audit")
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        self._handler = logging.handlers.QueueHandler(self._queue)
        self._logger.addHandler(self._handler)

    def emit(self) -> None:
        """Build it, and log its JSON."""
        self._logger.info(to_json(build()).decode())

    def drain(self) -> None:
        """Wait until the listener has all."""
        while not self._queue.empty():
            time.sleep(0.002)
        self._listener.stop()
        self._listener.start()

    def close(self) -> None:
        """Stop the listener."""
        self._listener.stop()
        self._logger.removeHandler(self._handler)
        self._file.close()

    def count(self, directory: Path) -> int:
        """Count the lines."""
        return count_lines(directory / NAME)
