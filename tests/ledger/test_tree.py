"""The Merkle tree in the ledger's file: always that of its entries."""

import random
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.tree import STORED_LEVEL, StoredNodes
from minutebook.domain.errors import LedgerCorrupt
from minutebook.domain.merkle import (
    EMPTY,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from tests.contract.trail import entries_of, many, new_encoder
from tests.ledger.test_sqlite import connection_of


def check_tree(path: Path) -> CompactRange:
    """The stored range and nodes are those of the leaf hashes; proofs from them hold."""
    leaves = [entry.leaf_hash for entry in entries_of(path)]
    grown, completed = EMPTY.extended(leaves)
    expected = {
        (level, position): digest
        for level, first, hashes in completed
        if level >= STORED_LEVEL
        for position, digest in enumerate(hashes, first)
    }
    with closing(apsw.Connection(str(path))) as database:
        heads: list[Any] = database.execute("SELECT size, hashes FROM tree").fetchall()
        ((size, hashes),) = heads
        assert CompactRange.of_bytes(size, hashes) == grown
        rows = database.execute("SELECT level, position, hash FROM tree_nodes").fetchall()
        assert {(level, position): digest for level, position, digest in rows} == expected
        chance, node = random.Random(size), StoredNodes(database)
        for _ in range(20 if size else 0):
            part = chance.randrange(1, size + 1)
            root = EMPTY.extended(leaves[:part])[0].root()
            index = chance.randrange(part)
            proof = inclusion_proof(index, part, node)
            assert verify_inclusion(leaves[index], index, part, proof, root)
            growth = consistency_proof(part, size, node)
            assert verify_consistency(part, root, size, grown.root(), growth)
    return grown


@pytest.mark.parametrize("sizes", [[1, 2, 3], [255, 1, 1], [256, 512], [700, 100, 3000, 1, 5]])
def test_batches_of_any_size_grow_it(sizes: list[int], tmp_path: Path) -> None:
    path, encoder = tmp_path / "audit.db", new_encoder()
    ledger = SqliteLedger(path, encoder)
    for first, size in zip([sum(sizes[:n]) for n in range(len(sizes))], sizes, strict=True):
        ledger.append(many(encoder, size, first=first))
    ledger.close()
    assert check_tree(path).size == sum(sizes)


def test_two_that_write_in_turns_grow_one_tree(tmp_path: Path) -> None:
    path, encoder = tmp_path / "audit.db", new_encoder()
    one, other = SqliteLedger(path, encoder), SqliteLedger(path, encoder)
    for number in range(40):
        one.append(many(encoder, 7, first=7 * number))
        other.append(many(encoder, 11, first=11 * number, producer="0b" * 16))
    # A batch that was entered before, in part, adds only what is new.
    batch = many(encoder, 10, first=280)
    one.append(batch[:5])
    other.append(batch)
    one.close()
    other.close()
    assert check_tree(path).size == 40 * 18 + 10


def test_entries_that_an_older_version_added_are_caught_up(tmp_path: Path) -> None:
    path, encoder = tmp_path / "audit.db", new_encoder()
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 300))
    connection = connection_of(ledger)
    with closing(apsw.Connection(str(path))) as database:
        triggers = database.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'tree%'"
        ).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE tree SET size = 0, hashes = x''")
        database.execute("DELETE FROM tree_nodes")
        for _, sql in triggers:
            database.execute(str(sql))
    assert connection is connection_of(ledger)
    ledger.append(many(encoder, 10, first=300))
    ledger.close()
    assert check_tree(path).size == 310


def test_a_ledger_that_lost_its_newest_entries_takes_no_more(tmp_path: Path) -> None:
    path, encoder = tmp_path / "audit.db", new_encoder()
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 5))
    ledger.close()
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TRIGGER entries_are_never_deleted")
        database.execute("DELETE FROM entries WHERE log_index >= 3")
    again = SqliteLedger(path, encoder)
    with pytest.raises(LedgerCorrupt, match="had 5 entries, and has only 3"):
        again.append(many(encoder, 1, first=5))
    again.close()
