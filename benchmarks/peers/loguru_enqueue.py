"""loguru with `enqueue=True`: through a pipe to a thread that writes."""

from pathlib import Path

from loguru import logger

from benchmarks.peers.line_file import NAME, count_lines
from benchmarks.peers.peer import Peer
from benchmarks.workload import build, to_json


class LoguruEnqueue(Peer):
    """The JSON is the message, and nothing is added: the cheapest that loguru can do."""

    title = "loguru, enqueue=True"
    kind = "logging"
    needs = ("loguru",)
    returns = "memory"

    def open(self, directory: Path) -> None:
        """Leave only one sink."""
        self.settings = {"enqueue": True, "format": "{message}", "catch": False}
        logger.remove()
        self._sink = logger.add(
            directory / NAME, enqueue=True, format="{message}", catch=False, backtrace=False
        )

    def emit(self) -> None:
        """Build it, and log its JSON."""
        logger.info(to_json(build()).decode())

    def drain(self) -> None:
        """Wait for the thread."""
        logger.complete()

    def close(self) -> None:
        """Remove the sink."""
        logger.remove(self._sink)

    def count(self, directory: Path) -> int:
        """Count the lines."""
        return count_lines(directory / NAME)
