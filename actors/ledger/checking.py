"""Looking at a stretch of entries: each by itself, its producer's numbers, and their subtrees.

A stretch begins at a multiple of 256, so that its subtrees fit into the tree; stretches are
looked at in worker processes. What is read of an entry is compared within SQLite as far as
possible: turning all columns into Python objects would take as long as all the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import apsw

from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.tombstones import has_tombstones, read_tombstones
from minutebook.actors.ledger.tree import BLOCK, STORED_LEVEL
from minutebook.domain.entry import COLUMNS, HASH_VERSION, Entry, Record
from minutebook.domain.errors import LedgerCorrupt
from minutebook.domain.finding import Finding
from minutebook.domain.merkle import EMPTY
from minutebook.domain.pruning import Tombstone
from minutebook.domain.sequence import Run

ROWS_A_PAGE: Final = 4096
"""Entries in memory at once: a multiple of `BLOCK`."""

_BUSY_TIMEOUT_S: Final = 5.0

# Of what stored bytes end with, the producer's fields; two of them would not fit.
_TAIL_BYTES_MAX: Final = 82


@dataclass
class Stretch:
    """What was found of a stretch of entries."""

    first: int
    """Index where it begins."""
    count: int = 0
    """How many entries it has, those that were pruned among them."""
    pruned: int = 0
    """How many of them were pruned."""
    findings: list[Finding] = field(default_factory=list)
    """What is wrong with entries by themselves, and which are missing."""
    blocks: list[bytes | None] = field(default_factory=list)
    """Roots over 256 leaves each, as computed; ``None`` where an entry is not as it was."""
    partial: dict[int, tuple[bytes, ...] | None] = field(default_factory=dict)
    """For sizes that were asked for: the complete subtrees of the leaves behind the last block
    before that size."""
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """Each producer's numbers."""


def check_stretch(path: Path, first: int, last: int, sizes: Sequence[int]) -> Stretch:
    """Look at the entries from an index up to another, exclusive.

    Args:
        path: the ledger's file.
        first: a multiple of `BLOCK`.
        last: where the stretch ends.
        sizes: of trees whose subtrees behind the last block are wanted; within the stretch.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    stretch = Stretch(first)
    file = LedgerFile(path, busy_timeout_s=_BUSY_TIMEOUT_S)
    try:
        for start in range(first, last, ROWS_A_PAGE):
            end = min(start + ROWS_A_PAGE, last)
            rows = _rows(stretch, file, start, end)
            _check_page(stretch, rows, start, end, sizes, file)
    finally:
        file.close()
    return stretch


def _rows(stretch: Stretch, file: LedgerFile, first: int, last: int) -> list[Any]:
    """Return the rows of a page; what the file's damage makes unreadable is a finding each."""
    try:
        return file.run(lambda connection: _read(connection, first, last))
    except LedgerCorrupt:
        if last - first == 1:
            detail = "it cannot be read: the file is damaged."
            stretch.findings.append(Finding("edited", first, detail))
            return []
    middle = (first + last) // 2
    return _rows(stretch, file, first, middle) + _rows(stretch, file, middle, last)


def _read(connection: apsw.Connection, first: int, last: int) -> list[Any]:
    # In one transaction: what is pruned meanwhile is in one of the two tables, not in none.
    connection.execute("BEGIN")
    try:
        rows = _read_entries(connection, first, last)
        if len(rows) == last - first or not has_tombstones(connection):
            return rows
        stones = read_tombstones(connection, first, last)
    finally:
        connection.execute("COMMIT")
    there = {row[0] for row in rows}
    return sorted(
        rows + [_row_of(stone) for stone in stones if stone.log_index not in there],
        key=lambda row: row[0],
    )


def _row_of(stone: Tombstone) -> tuple[Any, ...]:
    """Return what stays of a pruned entry as a row like the others: without stored bytes, and
    with the producer's next number behind its own."""
    index, _, recorded_at, producer, seq, next_seq, leaf = stone
    return index, recorded_at, leaf, None, producer, seq, next_seq, True


def _read_entries(connection: apsw.Connection, first: int, last: int) -> list[Any]:
    try:
        return connection.execute(_statement(), (first, last)).fetchall()
    except UnicodeDecodeError:
        # Somebody put bytes there that are no text; then one after the other.
        if last - first > 1:
            middle = (first + last) // 2
            return _read_entries(connection, first, middle) + _read_entries(
                connection, middle, last
            )
        rows: list[Any] = connection.execute(
            "SELECT log_index, recorded_at, leaf_hash, body, CAST(producer AS BLOB), producer_seq,"
            " 0, 0 FROM entries WHERE log_index = ?",
            (first,),
        ).fetchall()
        return [(*row[:4], row[4].decode("utf-8", "replace"), *row[5:]) for row in rows]


def _check_page(
    stretch: Stretch,
    rows: list[Any],
    start: int,
    end: int,
    sizes: Sequence[int],
    file: LedgerFile,
) -> None:
    sha256, prefix = hashlib.sha256, b"\x00%c" % HASH_VERSION
    leaves: list[bytes | None] = [None] * (end - start)
    runs = stretch.runs
    expected: dict[str, int] = {producer: each[-1].next_seq for producer, each in runs.items()}
    for index, recorded_at, leaf, body, producer, seq, is_gap, fits in rows:
        if body is None:
            leaves[index - start] = leaf
            stretch.pruned += 1
            _follow_on(runs, expected, producer, Run(index, seq, is_gap))
            continue
        try:
            computed = sha256(prefix + recorded_at.to_bytes(8, "big") + body).digest()
        except OverflowError:
            computed = b""
        if computed == leaf:
            leaves[index - start] = leaf
        if computed != leaf or not fits:
            stretch.findings += _explained(file, index, leaf_fits=computed == leaf)
        following = last_seq(body, seq) + 1 if is_gap else seq + 1
        if expected.get(producer) == seq:
            expected[producer] = following
        else:
            _follow_on(runs, expected, producer, Run(index, seq, following))
    for producer in expected:
        _end_run(runs, expected, producer)
    stretch.count += len(rows)
    there = {row[0] for row in rows}
    there |= {index for _, index, _ in stretch.findings if index is not None and index >= start}
    stretch.findings += _missing(there, start, end)
    _hash_blocks(stretch, leaves, start, end, sizes)


def _follow_on(
    runs: dict[str, list[Run]], expected: dict[str, int], producer: str, run: Run
) -> None:
    if expected.get(producer) != run.first_seq:
        _end_run(runs, expected, producer)
        runs.setdefault(producer, []).append(run)
    expected[producer] = run.next_seq


def _end_run(runs: dict[str, list[Run]], expected: dict[str, int], producer: str) -> None:
    if producer in runs:
        runs[producer][-1] = runs[producer][-1]._replace(next_seq=expected[producer])


def last_seq(body: bytes, seq: int) -> int:
    """Return the last number that an ``audit.gap`` stands for."""
    try:
        payload = Record.payload_of(body)
        if payload["first_seq"] == seq and payload["last_seq"] > seq:
            return int(payload["last_seq"])
    except (ValueError, KeyError, TypeError):
        pass
    return seq


def _missing(there: set[int], start: int, end: int) -> list[Finding]:
    if len(there) == end - start:
        return []
    findings, expected = [], start
    for index in [*sorted(there), end]:
        if index > expected:
            what = (
                f"entry {expected} is"
                if index - expected == 1
                else f"entries {expected} to {index - 1} are"
            )
            findings.append(Finding("deleted", expected, f"{what} missing."))
        expected = index + 1
    return findings


def _hash_blocks(
    stretch: Stretch, leaves: list[bytes | None], start: int, end: int, sizes: Sequence[int]
) -> None:
    for first in range(start, end, BLOCK):
        block = leaves[first - start : first - start + BLOCK]
        whole = [leaf for leaf in block if leaf is not None]
        damaged = len(whole) < len(block)
        if len(block) == BLOCK:
            root = None if damaged else EMPTY.extended(whole)[1][STORED_LEVEL - 1].hashes[0]
            stretch.blocks.append(root)
        for size in sizes:
            if first < size < first + BLOCK and size <= first + len(block):
                part = block[: size - first]
                known = [leaf for leaf in part if leaf is not None]
                stretch.partial[size] = (
                    EMPTY.extended(known)[0].hashes if len(known) == len(part) else None
                )


def _explained(file: LedgerFile, index: int, *, leaf_fits: bool) -> list[Finding]:
    """Say what is wrong with an entry: nothing, when its bytes are only written another way."""

    def read(connection: apsw.Connection) -> list[Any]:
        columns = ", ".join(COLUMNS)
        statement = f"SELECT {columns} FROM entries WHERE log_index = ?"
        return connection.execute(statement, (index,)).fetchall()

    try:
        (row,) = file.run(read)
    except UnicodeDecodeError:
        return [Finding("edited", index, "one of its columns is no text.")]
    entry = Entry._make(row)
    if entry.hash_version != HASH_VERSION:
        detail = f"its hash version is {entry.hash_version}, and {HASH_VERSION} is known here."
        return [Finding("schema_drift", index, detail)]
    try:
        expected = Record.of(entry.body).row(index, entry.recorded_at)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        detail = f"its stored bytes are no event ({type(error).__name__})."
        return [Finding("edited", index, detail)]
    if not leaf_fits:
        detail = "its stored bytes or its recorded_at are not those that its leaf hash is of."
        return [Finding("edited", index, detail)]
    differing = [
        name
        for name, said, stored in zip(COLUMNS, entry, expected, strict=True)
        if said != stored or type(said) is not type(stored)
    ]
    if differing:
        detail = f"its columns {', '.join(differing)} do not say what its stored bytes say."
        return [Finding("edited", index, detail)]
    return []


@lru_cache(maxsize=1)
def _statement() -> str:
    """Select what is needed, and what the stored bytes begin and end with if the columns are right.

    Text that JSON must escape is not: such entries are looked at once more, in Python.
    """

    def quoted(name: str) -> str:
        return f"""iif({name} IS NULL, 'null', '"' || {name} || '"')"""

    time = (
        "strftime('%Y-%m-%dT%H:%M:%S', occurred_at / 1000000, 'unixepoch'),"
        " format('.%06dZ', occurred_at % 1000000)"
    )
    parts = [
        """'{"id":"', id, '","type":"', type, '","schema_version":', schema_version""",
        """',"source":"', source, '","occurred_at":"'""",
        time,
        """'"'""",
    ]
    for name in COLUMNS[COLUMNS.index("user_identity") : COLUMNS.index("project_names")]:
        parts += [f"""',"{name}":'""", quoted(name)]
    parts += [
        """',"project_names":', project_names, ',"outcome":"', outcome""",
        """'","outcome_reason":'""",
        quoted("outcome_reason"),
        """',"severity":"', severity, '","payload":{'""",
    ]
    head = f"CAST(concat({', '.join(parts)}) AS BLOB)"
    tail = """concat(',"producer":"', producer, '","producer_seq":', producer_seq, '}')"""
    return (
        "SELECT log_index, recorded_at, leaf_hash, body, producer, producer_seq,"
        f" type = 'audit.gap', hash_version = {HASH_VERSION} AND instr(body, {head}) = 1"
        f" AND instr(substr(body, -{_TAIL_BYTES_MAX}), CAST({tail} AS BLOB)) > 0"
        " FROM entries WHERE log_index >= ? AND log_index < ? ORDER BY log_index"
    )
