"""The Merkle tree in the ledger's file: grown in the transaction that adds the entries.

What must be known to go on is read within that transaction, since another process may have
added entries meanwhile. The small subtrees are not stored, for the leaf hashes tell them; a
ledger whose tree has fallen behind (an older Minutebook wrote it) is caught up.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import apsw

from minutebook.domain.errors import LedgerCorrupt
from minutebook.domain.merkle import CompactRange

STORED_LEVEL: Final = 8
"""The lowest level whose nodes are stored: subtrees of 256 leaves."""

BLOCK: Final = 1 << STORED_LEVEL
"""How many leaves those have."""

_CATCH_UP_ROWS: Final = 8192


def read_head(connection: apsw.Connection, path: Path) -> tuple[int, CompactRange]:
    """Return the index that the next entry gets, and the tree over those that it has.

    Raises:
        LedgerCorrupt: the tree has leaves that the ledger lacks, or is none.
    """
    rows: list[Any] = connection.execute(
        "SELECT (SELECT coalesce(max(log_index), -1) + 1 FROM entries), size, hashes FROM tree"
    ).fetchall()
    try:
        ((next_index, size, hashes),) = rows
        tree = CompactRange.of_bytes(size, hashes)
    except ValueError:
        msg = f"ledger {path}: its tree of hashes is damaged; restore a backup."
        raise LedgerCorrupt(msg) from None
    if size > next_index:
        msg = (
            f"ledger {path} had {size} entries, and has only {next_index} now: the newest were"
            " removed; see what `minutebook verify` says, and restore a backup."
        )
        raise LedgerCorrupt(msg)
    return next_index, tree


def grow(
    connection: apsw.Connection, next_index: int, tree: CompactRange, leaves: Sequence[bytes]
) -> None:
    """Add leaves to the stored tree; in the transaction that adds their entries.

    Args:
        next_index: of the first of them.
        tree: as it was read.
        leaves: their hashes.
    """
    if tree.size < next_index:
        tree = catch_up(connection, tree, next_index)
    _store(connection, tree, leaves)


def catch_up(connection: apsw.Connection, tree: CompactRange, next_index: int) -> CompactRange:
    """Add the leaves of entries that are there already, and return the tree over all of them."""
    while tree.size < next_index:
        rows: list[Any] = connection.execute(
            "SELECT leaf_hash FROM entries WHERE log_index >= ? ORDER BY log_index LIMIT ?",
            (tree.size, min(_CATCH_UP_ROWS, next_index - tree.size)),
        ).fetchall()
        tree = _store(connection, tree, [row[0] for row in rows])
    return tree


def _store(
    connection: apsw.Connection, tree: CompactRange, leaves: Sequence[bytes]
) -> CompactRange:
    grown, completed = tree.extended(leaves)
    rows = [
        (level, position, digest)
        for level, first, hashes in completed
        if level >= STORED_LEVEL
        for position, digest in enumerate(hashes, first)
    ]
    if rows:
        # In one statement: APSW takes the GIL back for each row of `executemany`.
        connection.execute(
            "INSERT INTO tree_nodes (level, position, hash) VALUES"
            + ",".join(["(?, ?, ?)"] * len(rows)),
            tuple(chain.from_iterable(rows)),
        )
    connection.execute("UPDATE tree SET size = ?, hashes = ?", (grown.size, grown.as_bytes()))
    return grown


class StoredNodes:
    """The nodes of a ledger's tree, for making proofs; a `minutebook.domain.merkle.NodeAt`.

    Args:
        connection: for as long as the proof takes, within one transaction.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._blocks: dict[int, list[list[bytes]]] = {}

    def __call__(self, level: int, position: int) -> bytes:
        """Return a node.

        Raises:
            LedgerCorrupt: it is not there.
        """
        if level >= STORED_LEVEL:
            digest = self._connection.execute(
                "SELECT hash FROM tree_nodes WHERE level = ? AND position = ?", (level, position)
            ).get
            if isinstance(digest, bytes):
                return digest
        else:
            block = position >> (STORED_LEVEL - level)
            levels = self._blocks.get(block) or self._read(block)
            place = position - (block << (STORED_LEVEL - level))
            if place < len(levels[level]):
                return levels[level][place]
        msg = "the ledger lacks a part of its tree; see what `minutebook verify` says."
        raise LedgerCorrupt(msg)

    def _read(self, block: int) -> list[list[bytes]]:
        first = block << STORED_LEVEL
        rows: list[Any] = self._connection.execute(
            "SELECT log_index, leaf_hash FROM entries WHERE log_index >= ?1 AND log_index < ?2"
            " UNION ALL"
            " SELECT log_index, leaf_hash FROM pruned WHERE log_index >= ?1 AND log_index < ?2"
            " ORDER BY log_index",
            (first, first + BLOCK),
        ).fetchall()
        # Only what stands without holes at the beginning tells nodes.
        leaves: list[bytes] = [
            digest for place, (index, digest) in enumerate(rows, first) if index == place
        ]
        levels = [leaves] + [[] for _ in range(STORED_LEVEL)]
        for level, _, hashes in CompactRange(0, ()).extended(leaves)[1]:
            levels[level] = hashes
        self._blocks[block] = levels
        return levels
