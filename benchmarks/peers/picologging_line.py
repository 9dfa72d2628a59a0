"""picologging: logging rewritten in C; a line of JSON in the caller's thread."""

from pathlib import Path

import picologging

from benchmarks.peers.line_file import NAME, count_lines
from benchmarks.peers.peer import Peer
from benchmarks.workload import build, to_json


class PicologgingLine(Peer):
    """A file handler that writes and flushes each line."""

    title = "picologging, a line in the caller"
    kind = "logging"
    needs = ("picologging", "orjson")
    returns = "page cache"
    many_processes = True

    def open(self, directory: Path) -> None:
        """Configure a logger on the file."""
        self.settings = {"handler": "FileHandler", "flush": "each line"}
        self._handler = picologging.FileHandler(str(directory / NAME))
        self._logger = picologging.getLogger("benchmark.audit")
        self._logger.setLevel(picologging.INFO)
        self._logger.addHandler(self._handler)

    def emit(self) -> None:
        """Build it, and log its JSON."""
        self._logger.info(to_json(build()).decode())

    def close(self) -> None:
        """Close the file."""
        self._handler.close()

    def count(self, directory: Path) -> int:
        """Count the lines."""
        return count_lines(directory / NAME)
