"""structlog: a line of JSON, written and flushed in the caller's thread."""

from pathlib import Path

import orjson
import structlog

from benchmarks.peers.line_file import NAME, count_lines
from benchmarks.peers.peer import Peer
from benchmarks.workload import EVENT_TYPE, build, part


def dumps(value: object, **_: object) -> bytes:
    """Serialise as all peers do."""
    return orjson.dumps(value, part, orjson.OPT_UTC_Z)


class StructlogLine(Peer):
    """The fast set-up of its documentation: a bytes logger, orjson, two processors."""

    title = "structlog, a line in the caller"
    kind = "logging"
    needs = ("structlog", "orjson")
    returns = "page cache"
    many_processes = True

    def open(self, directory: Path) -> None:
        """Configure a logger on the file."""
        self.settings = {"logger": "BytesLogger", "serializer": "orjson", "flush": "each line"}
        self._file = (directory / NAME).open("ab")
        self._log = structlog.wrap_logger(
            structlog.BytesLogger(self._file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.JSONRenderer(serializer=dumps),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(20),
            cache_logger_on_first_use=True,
        ).bind()

    def emit(self) -> None:
        """Build it, and log its fields."""
        self._log.info(EVENT_TYPE, **build().__dict__)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def count(self, directory: Path) -> int:
        """Count the lines."""
        return count_lines(directory / NAME)
