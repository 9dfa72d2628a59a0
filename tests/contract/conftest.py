"""Both ledgers, behind one face."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Entry
from tests.contract.trail import entries_of, new_encoder


class Subject(NamedTuple):
    """A ledger under test, and how its entries are read."""

    ledger: Ledger
    encoder: Encoder
    entries: Callable[[], list[Entry]]


@pytest.fixture(params=["memory", "sqlite"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    encoder = new_encoder()
    if request.param == "memory":
        memory = MemoryLedger(encoder)

        def verified() -> list[Entry]:
            memory.verify()
            return list(memory.entries)

        return Subject(memory, encoder, verified)
    path = tmp_path / "audit.db"
    return Subject(SqliteLedger(path, encoder), encoder, lambda: entries_of(path))
