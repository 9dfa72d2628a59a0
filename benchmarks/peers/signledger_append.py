"""signledger: an append-only ledger with a hash chain in SQLite; the release and a pre-release."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import orjson

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import EVENT_TYPE, build, to_json

METADATA = {"type": EVENT_TYPE}

PRE_RELEASES = Path(__file__).parents[1] / ".peers"
"""Where `make bench-peers` puts what cannot be installed beside its own release."""


class _Signledger(Peer):
    kind = "ledger"

    def open(self, directory: Path) -> None:
        """Open a ledger."""
        ledger = importlib.import_module("signledger")
        backend = importlib.import_module("signledger.backends.sqlite").SQLiteBackend(
            str(directory / "signledger.db")
        )
        self._ledger: Any = self._new(ledger.Ledger, backend)
        self.settings = self._settings(backend)

    def _new(self, ledger: Any, backend: Any) -> Any:
        return ledger(backend=backend)

    def _settings(self, backend: Any) -> dict[str, object]:
        return sqlite_file.settings_of(backend._get_connection())

    def emit(self) -> None:
        """Build it, and append its fields; 1.0 cannot read back an entry without metadata."""
        self._ledger.append(orjson.loads(to_json(build())), metadata=METADATA)

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def count(self, directory: Path) -> int:
        """Count the entries."""
        return sqlite_file.count_rows(directory / "signledger.db", "ledger_entries")


class SignledgerAppend(_Signledger):
    """`ledger.append` of the event's fields, in its default settings: a transaction each."""

    title = "signledger 1.0 (WAL, synchronous=NORMAL)"
    needs = ("signledger",)
    returns = "page cache"


class SignledgerPreRelease(_Signledger):
    """The same with 2.0b0, from a directory of its own."""

    title = "signledger 2.0b0 (WAL, FULL)"
    needs = ()
    returns = "disk"
    many_processes = True

    def open(self, directory: Path) -> None:
        """Open a ledger, with the pre-release before the release."""
        place = os.environ.get("BENCHMARK_PEERS", str(PRE_RELEASES))
        found = Path(place) / "signledger-2.0b0"
        if not found.is_dir():
            msg = f"no {found}: run make bench-peers"
            raise ImportError(msg)
        sys.path.insert(0, str(found))
        super().open(directory)

    def _new(self, ledger: Any, backend: Any) -> Any:
        return ledger(backend)

    def _settings(self, backend: Any) -> dict[str, object]:
        with backend._registry_lock:
            (connection, *_) = backend._connections.values()
        return {**sqlite_file.settings_of(connection), "version": "2.0b0"}
