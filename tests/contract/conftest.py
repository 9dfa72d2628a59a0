"""Both ledgers, behind one face."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.tree import read_head
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Entry
from minutebook.domain.merkle import CompactRange
from tests.contract.trail import entries_of, new_encoder


class Subject(NamedTuple):
    """A ledger under test, and how its entries are read."""

    ledger: Ledger
    encoder: Encoder
    entries: Callable[[], list[Entry]]
    tree: Callable[[], CompactRange]


@pytest.fixture(params=["memory", "sqlite"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    encoder = new_encoder()
    if request.param == "memory":
        memory = MemoryLedger(encoder)

        def verified() -> list[Entry]:
            memory.verify()
            return list(memory.entries)

        return Subject(memory, encoder, verified, lambda: memory.tree)
    path = tmp_path / "audit.db"

    def stored_tree() -> CompactRange:
        with closing(apsw.Connection(str(path))) as database:
            return read_head(database, path)[1]

    return Subject(SqliteLedger(path, encoder), encoder, lambda: entries_of(path), stored_tree)
