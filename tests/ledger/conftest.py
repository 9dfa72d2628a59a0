"""Real ledgers to read."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.event import AuditEvent
from minutebook.domain.redaction import KEY_BYTES, Redactor

MakeLedger = Callable[[Path, Sequence[AuditEvent]], None]
"""Appends events to the ledger at a path and closes it."""

NOBODY = 65534


@pytest.fixture
def encoder() -> Encoder:
    return Encoder(Redactor(b"k" * KEY_BYTES))


@pytest.fixture
def make_ledger(encoder: Encoder) -> MakeLedger:
    def make(path: Path, events: Sequence[AuditEvent]) -> None:
        ledger = SqliteLedger(path, encoder)
        ledger.append(
            [
                with_producer(encoder.encode_head(event), "0a" * 16, number)
                for number, event in enumerate(events)
            ]
        )
        ledger.close()

    return make


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that other users can reach; pytest's own are closed to them."""
    # Resolved: on macOS the directory for temporary files is a link.
    path = Path(tempfile.mkdtemp(prefix="minutebook-test-")).resolve()
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


@pytest.fixture
def as_other_user() -> Callable[[], AbstractContextManager[None]]:
    """Takes root's rights away for a while: root may write what is read-only."""

    @contextmanager
    def unprivileged() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return unprivileged
