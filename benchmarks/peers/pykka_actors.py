"""What one would write first with pykka: an actor that commits, by the message or in batches."""

from pathlib import Path
from typing import Any

from pykka import ActorRef, ThreadingActor

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import OrderShipped, Row, build, to_row

BATCH = 512


class EachActor(ThreadingActor):
    """Commits each message."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._connection = sqlite_file.connect(path, "WAL")

    def on_receive(self, message: Any) -> Any:
        """Insert and commit; another message than an event is a question."""
        if not isinstance(message, OrderShipped):
            return sqlite_file.settings_of(self._connection)
        self._connection.execute(sqlite_file.INSERT, to_row(message))
        self._connection.commit()
        return None

    def on_stop(self) -> None:
        """Close the file."""
        self._connection.close()


class BatchingActor(EachActor):
    """Commits when 512 are gathered, or when nothing waits."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._rows: list[Row] = []

    def on_receive(self, message: Any) -> Any:
        """Gather; commit when there is enough or no more."""
        if not isinstance(message, OrderShipped):
            self._commit()
            return sqlite_file.settings_of(self._connection)
        self._rows.append(to_row(message))
        if len(self._rows) >= BATCH or self.actor_inbox.empty():
            self._commit()
        return None

    def _commit(self) -> None:
        self._connection.executemany(sqlite_file.INSERT, self._rows)
        self._connection.commit()
        self._rows = []

    def on_stop(self) -> None:
        """Commit the rest, and close the file."""
        self._commit()
        super().on_stop()


class PykkaEach(Peer):
    """`tell` to an actor that commits each message."""

    title = "pykka, a commit a message"
    kind = "actor"
    needs = ("pykka",)
    returns = "memory"
    actor_class: type[EachActor] = EachActor

    def open(self, directory: Path) -> None:
        """Start the actor."""
        self._actor: ActorRef[Any] = self.actor_class.start(directory / "pykka.db")
        self.settings = dict(self._actor.ask("settings", block=True))
        self._tell = self._actor.tell

    def emit(self) -> None:
        """Build it, and tell it."""
        self._tell(build())

    def drain(self) -> None:
        """Wait for the actor."""
        self._actor.ask("drain")

    def close(self) -> None:
        """Stop the actor."""
        self._actor.stop()

    def count(self, directory: Path) -> int:
        """Count the rows."""
        return sqlite_file.count_rows(directory / "pykka.db")


class PykkaBatching(PykkaEach):
    """`tell` to an actor that commits in batches."""

    title = "pykka, naive batches of 512"
    actor_class = BatchingActor
