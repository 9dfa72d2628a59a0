"""OpenTelemetry's logs: `BatchLogRecordProcessor` in its default settings, into SQLite."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)

from benchmarks.peers import sqlite_file
from benchmarks.peers.peer import Peer
from benchmarks.workload import EVENT_TYPE, OrderShipped, build, to_json


class SqliteExporter(LogRecordExporter):
    """Writes each batch in one transaction."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite_file.connect(path, "WAL")

    def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
        """Insert and commit a batch."""
        records = [data.log_record for data in batch]
        self.connection.executemany(
            sqlite_file.INSERT,
            [
                (
                    record.attributes["id"],
                    record.event_name,
                    str(record.timestamp),
                    record.attributes["user"],
                    record.body,
                )
                for record in records
            ],
        )
        self.connection.commit()
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        self.connection.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return True


class OpenTelemetryBatch(Peer):
    """A queue of 2,048 records; what does not fit is dropped, and only logged."""

    title = "OpenTelemetry BatchLogRecordProcessor"
    kind = "logging"
    needs = ("opentelemetry-sdk",)
    returns = "memory"

    def open(self, directory: Path) -> None:
        """Set up the provider."""
        self._exporter = SqliteExporter(directory / "otel.db")
        self._processor = BatchLogRecordProcessor(self._exporter)
        self._provider = LoggerProvider(shutdown_on_exit=False)
        self._provider.add_log_record_processor(self._processor)
        self._logger = self._provider.get_logger("benchmark")
        self.settings = {
            **sqlite_file.settings_of(self._exporter.connection),
            "queue_max": 2048,
            "batch_max": 512,
            "schedule_delay_ms": 1000,
        }

    def emit(self) -> None:
        """Build it, and emit a record with its JSON."""
        self._logger.emit(record(build()))

    def drain(self) -> None:
        """Flush the processor."""
        self._provider.force_flush(60_000)
        time.sleep(0.01)

    def close(self) -> None:
        """Shut the provider down."""
        self._provider.shutdown()

    def count(self, directory: Path) -> int:
        """Count the rows."""
        return sqlite_file.count_rows(directory / "otel.db")


def record(event: OrderShipped) -> LogRecord:
    """Make a log record of an event."""
    return LogRecord(
        timestamp=time.time_ns(),
        severity_number=SeverityNumber.INFO,
        body=to_json(event).decode(),
        attributes={"id": event.id, "user": event.user_identity or ""},
        event_name=EVENT_TYPE,
    )
