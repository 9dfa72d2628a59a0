"""The peers, one file each; `names` lists them, `load` imports one.

Only the process in which a peer runs imports it, and with it its library.
"""

import importlib

from benchmarks.peers.peer import Peer

_PLACES = {
    "plain model": "floors:PlainModel",
    "construction": "floors:Construction",
    "no-op emit": "floors:NoOp",
    "simple queue": "floors:PutInQueue",
    "raw apsw": "raw_apsw:RawApsw",
    "raw apsw rows": "raw_apsw:RawApswRows",
    "buffered": "minutebook:Buffered",
    "journaled": "minutebook:Journaled",
    "writer=process": "minutebook:WriterProcess",
    "committed": "minutebook:Committed",
    "original": "original:Original",
    "original-wal": "original:OriginalWal",
    "original-fixed": "original_fixed:OriginalFixed",
    "sqlalchemy": "sqlalchemy_orm:SqlAlchemyOrm",
    "eventsourcing": "eventsourcing_save:EventsourcingSave",
    "persist-queue": "persist_queue:PersistQueue",
    "queue-handler": "queue_handler:QueueHandler",
    "loguru": "loguru_enqueue:LoguruEnqueue",
    "structlog": "structlog_line:StructlogLine",
    "picologging": "picologging_line:PicologgingLine",
    "opentelemetry": "opentelemetry_batch:OpenTelemetryBatch",
    "bubus": "bubus_dispatch:BubusDispatch",
    "signledger": "signledger_append:SignledgerAppend",
    "signledger-2.0b0": "signledger_append:SignledgerPreRelease",
    "auditchain": "auditchain_append:AuditchainAppend",
    "pykka-each": "pykka_actors:PykkaEach",
    "pykka-batching": "pykka_actors:PykkaBatching",
}

FLOORS_WITHOUT_RECORD = frozenset({"plain model", "construction", "no-op emit", "simple queue"})
"""They record nothing, and so lose nothing and have no rate end to end."""

FLOORS_WITHOUT_BUILDING = frozenset({"raw apsw rows"})
"""They do not build the event, and so have no latency to compare."""


def names() -> list[str]:
    """Return the names of all peers, in the order of the report."""
    return list(_PLACES)


def load(name: str) -> Peer:
    """Import a peer.

    Raises:
        ImportError: its library is not installed.
    """
    module, _, attribute = _PLACES[name].partition(":")
    peer: type[Peer] = getattr(importlib.import_module(f"benchmarks.peers.{module}"), attribute)
    return peer()
