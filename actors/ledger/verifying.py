"""Verifying a ledger: every entry, every producer's numbers, the tree, and all that was signed.

It goes on past whatever it finds. What others write meanwhile does not matter: the ledger is
looked at as far as it had come at the beginning, and side files are read before that.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import apsw

from minutebook.actors.ledger.checking import Stretch, check_stretch
from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.selection import by_ids
from minutebook.actors.ledger.side_log import read_side_log
from minutebook.actors.ledger.signed_notes import (
    FoundNote,
    Judged,
    StoredNote,
    Trust,
    judge,
    trust,
)
from minutebook.actors.ledger.signing import SIDE_LOG_SUFFIX
from minutebook.actors.ledger.snapshot import Snapshot, read_snapshot
from minutebook.actors.ledger.tombstones import check_tombstones, count_before, has_tombstones
from minutebook.actors.ledger.tree import StoredNodes
from minutebook.actors.ledger.unrecovered import unrecovered_journals
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.errors import InvalidNote, LedgerError
from minutebook.domain.finding import Finding, Report, in_order
from minutebook.domain.merkle import EMPTY, HASH_BYTES, CompactRange, node_hash
from minutebook.domain.note import Note, VerifierKey
from minutebook.domain.sequence import Sequences
from minutebook.domain.tree_check import (
    BLOCK,
    BLOCK_LEVEL,
    Block,
    Head,
    Suspect,
    TreeCheck,
    judged,
)

ENTRIES_A_STRETCH: Final = 16_384
"""What a worker looks at at a time."""

WORKERS_FROM: Final = 4 * ENTRIES_A_STRETCH
"""Smaller ledgers are looked at before worker processes would have started."""

_BUSY_TIMEOUT_S: Final = 5.0


def verify_ledger(
    path: Path,
    *,
    side_files: Sequence[Path] | None = None,
    keys: Iterable[VerifierKey] = (),
    since: Note | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Look at all of a ledger, and say what is wrong with it.

    Args:
        path: the ledger's file.
        side_files: what was signed, kept elsewhere; ``<ledger>.checkpoints.log``, when it is
            there, if none are given.
        keys: whom to trust; else the first key that a side file, or the ledger, announces.
        since: a checkpoint that was verified before: entries below it are only compared with it.
        workers: processes that look at entries; a script that asks for more than one must guard
            its main module, as `multiprocessing` says.
        progress: called with how many entries were looked at, of how many.

    Raises:
        LedgerError: the ledger cannot be read at all.
        InvalidNote: ``since`` is no checkpoint.
        OSError: a side file cannot be read.
    """
    if side_files is None:
        beside = path.with_name(path.name + SIDE_LOG_SUFFIX)
        side_files = [beside] if beside.exists() else []
    outside = [
        piece for side_file in side_files for piece in _found_in(side_file)
    ]  # before the ledger, to which what is signed goes first
    file = LedgerFile(path, busy_timeout_s=_BUSY_TIMEOUT_S)
    try:
        return _Verification(file, outside, tuple(keys), since, workers, progress).run()
    finally:
        file.close()


def _found_in(side_file: Path) -> Iterator[FoundNote]:
    for piece in read_side_log(side_file):
        if not piece.cut_off:
            yield FoundNote(f"in {side_file.name}, line {piece.line}", piece.note)


class _Verification:
    def __init__(
        self,
        file: LedgerFile,
        outside: list[FoundNote],
        keys: tuple[VerifierKey, ...],
        since: Note | None,
        workers: int,
        progress: Callable[[int, int], None],
    ) -> None:
        self._file = file
        self._outside = outside
        self._keys = keys
        self._since = since
        self._workers = workers
        self._progress = progress
        self._findings: list[Finding] = []
        self._pruned = 0
        self._stored_blocks: list[bytes | None] = []

    def run(self) -> Report:
        snapshot = self._file.run(lambda connection: read_snapshot(connection, self._file.path))
        self._findings += snapshot.drift
        found = [*self._outside, *map(_found, snapshot.stored)]
        trusted = trust(snapshot.origin, found, self._keys)
        signed = judge(found, trusted)
        self._findings += signed.findings
        end = min(snapshot.next_index, max(snapshot.near, snapshot.tree[0] if snapshot.tree else 0))
        if snapshot.outside or end < snapshot.next_index:
            detail = f"there are entries before the first or far behind the last, entry {end - 1}."
            self._findings.append(Finding("edited", None, detail))
        if signed.in_ledger and snapshot.origin != trusted.origin:
            detail = f"it says that it is {snapshot.origin}, and has signed as {trusted.origin}."
            self._findings.append(Finding("edited", None, detail))
        heads = list(signed.heads)
        start = 0
        if self._since is not None:
            start = self._start_behind(self._since, trusted, heads, end)
            self._pruned = self._file.run(lambda connection: count_before(connection, start))
        check, sequences, count = self._follow(snapshot, heads, start, end)
        self._findings += sequences.findings()
        self._findings += self._file.run(
            lambda connection: list(check_tombstones(connection, trusted))
        )
        self._compare(check, sequences.holes(), snapshot, signed, end)
        self._findings += unrecovered_journals(
            self._file.path.with_name(self._file.path.name + ".journal.d"), self._known
        )
        keys = [key.as_text() for key in (*trusted.ring.keys, *trusted.witnesses)]
        return Report(
            count + start - self._pruned,
            in_order(self._findings),
            check.signed_size,
            tuple(keys),
            self._pruned,
        )

    # -- reading ------------------------------------------------------------------------------

    def _known(self, ids: Sequence[str]) -> set[str]:
        def read(connection: apsw.Connection) -> set[str]:
            statement = by_ids(ids, pruned=has_tombstones(connection))
            return {row[0] for row in connection.execute(*statement)}

        return self._file.run(read)

    def _start_behind(self, note: Note, trusted: Trust, heads: list[Head], end: int) -> int:
        """Return where to begin behind a checkpoint, which the stored tree must lead to."""
        judged_note = judge([FoundNote("given", note)], trusted)
        self._findings += judged_note.findings
        if not judged_note.heads:
            return 0
        (head,) = judged_note.heads
        heads.append(head)
        if head.size > end:
            return 0

        def root(connection: apsw.Connection) -> bytes | None:
            try:
                return CompactRange.of_nodes(head.size, StoredNodes(connection)).root()
            except (LedgerError, apsw.SQLError):
                return None

        # Where it does not, all entries are looked at, to say which is wrong.
        return head.size // BLOCK * BLOCK if self._file.run(root) == head.root else 0

    def _read_blocks(self, first: int, last: int) -> list[bytes | None]:
        def read(connection: apsw.Connection) -> dict[int, bytes]:
            rows = connection.execute(
                "SELECT position, hash FROM tree_nodes"
                " WHERE level = ? AND position >= ? AND position < ?",
                (BLOCK_LEVEL, first, last),
            )
            return {position: digest for position, digest in rows if len(digest) == HASH_BYTES}

        stored = self._file.run(read)
        return [stored.get(position) for position in range(first, last)]

    # -- following ----------------------------------------------------------------------------

    def _follow(
        self, snapshot: Snapshot, heads: list[Head], start: int, end: int
    ) -> tuple[TreeCheck, Sequences, int]:
        sequences, count = Sequences(from_start=start == 0), 0
        before = EMPTY
        if start:
            before = CompactRange.of_nodes(
                start // BLOCK,
                lambda level, position: self._node(level + BLOCK_LEVEL, position),
            )
        check = TreeCheck([head for head in heads if head.size >= start], before)
        sizes = {head.size for head in heads} | {end}
        if snapshot.tree is not None:
            sizes.add(snapshot.tree[0])
        self._partial: dict[int, tuple[bytes, ...] | None] = {}
        # Heads that end where it begins.
        check.take([], {})
        self._progress(start, end)
        for stretch in self._stretches(start, end, sorted(sizes)):
            self._findings += stretch.findings
            for producer, runs in stretch.runs.items():
                sequences.follow(producer, runs)
            stored: list[bytes | None] = [None] * len(stretch.blocks)
            if snapshot.tree is not None:
                first = stretch.first // BLOCK
                stored = self._read_blocks(first, first + len(stretch.blocks))
            self._stored_blocks += stored
            blocks = [Block(*pair) for pair in zip(stretch.blocks, stored, strict=True)]
            self._partial |= stretch.partial
            check.take(blocks, stretch.partial)
            count += stretch.count
            self._pruned += stretch.pruned
            self._progress(min(stretch.first + ENTRIES_A_STRETCH, end), end)
        return check, sequences, count

    def _node(self, level: int, position: int) -> bytes:
        return self._file.run(lambda connection: StoredNodes(connection)(level, position))

    def _stretches(self, start: int, end: int, sizes: list[int]) -> Iterator[Stretch]:
        firsts = range(start, end, ENTRIES_A_STRETCH)
        tasks = [
            (
                self._file.path,
                first,
                min(first + ENTRIES_A_STRETCH, end),
                [size for size in sizes if first < size <= first + ENTRIES_A_STRETCH],
            )
            for first in firsts
        ]
        if self._workers < 2 or end - start < WORKERS_FROM:
            for task in tasks:
                yield check_stretch(*task)
            return
        yield from _in_processes(tasks, self._workers)

    # -- comparing ----------------------------------------------------------------------------

    def _compare(
        self,
        check: TreeCheck,
        holes: list[int],
        snapshot: Snapshot,
        signed: Judged,
        end: int,
    ) -> None:
        suspects = list(check.suspects)
        for head, good, is_fork in check.disagreements():
            if is_fork:
                detail = (
                    f"the checkpoint of {head.size} entries {head.where} is of another history than"
                    f" what the log signed at {check.signed_size}."
                )
                self._findings.append(Finding("forked", good, detail))
            elif not suspects or suspects[-1].first != good:
                why = f"they do not lead to the checkpoint of {head.size} entries {head.where}"
                suspects.append(Suspect(good, head.size, why, end))
        self._findings += judged(suspects, tuple(self._findings), holes)
        beyond = check.beyond()
        tree_size = snapshot.tree[0] if snapshot.tree else 0
        if beyond is not None and beyond.size >= tree_size:
            detail = f"the log had {beyond.size} entries, says its checkpoint {beyond.where}."
            self._findings.append(Finding("truncated", end, detail))
        elif tree_size > end:
            detail = f"the log had {tree_size} entries, says its tree."
            self._findings.append(Finding("truncated", end, detail))
        for head, where in signed.only_outside:
            if (head.size, head.root) in check.held:
                detail = f"the checkpoint of {head.size} entries {where} is not in the ledger."
                self._findings.append(Finding("deleted", None, detail))
        if snapshot.tree is not None and not self._findings:
            self._findings += self._tree_findings(check, *snapshot.tree, end)

    def _tree_findings(
        self, check: TreeCheck, size: int, hashes: bytes, end: int
    ) -> Iterator[Finding]:
        """Yield what is wrong with the stored tree, where the entries show nothing."""
        partial = self._partial.get(size) if size % BLOCK else ()
        if size < check.signed_size or size > end:
            root = None
        else:
            root = check.root(size, partial)
        try:
            stored = CompactRange.of_bytes(size, hashes).root()
        except ValueError:
            stored = None
        if root != stored:
            detail = "the stored tree is not that of the entries."
            yield Finding("edited", check.signed_size, detail)
        elif size < end:
            detail = f"entries {size} to {end - 1} were added without the tree."
            yield Finding("edited", size, detail)
        elif not self._file.run(self._upper_nodes_fit):
            yield Finding("edited", None, "a stored node of the tree is not that of its leaves.")

    def _upper_nodes_fit(self, connection: apsw.Connection) -> bool:
        rows = connection.execute("SELECT level, position, hash FROM tree_nodes")
        nodes = {(level, position): digest for level, position, digest in rows}
        below = [digest for digest in self._stored_blocks if digest is not None]
        if len(below) < len(self._stored_blocks):
            return False
        level = BLOCK_LEVEL
        while len(below) > 1:
            level += 1
            below = [node_hash(*pair) for pair in list(pairwise(below))[::2]]
            if any(nodes.get((level, position)) != digest for position, digest in enumerate(below)):
                return self._since is not None
        return True


def _found(row: StoredNote) -> FoundNote:
    where = f"in the ledger, number {row.number}"
    try:
        return FoundNote(where, Note.of_text(row.text), row)
    except InvalidNote:
        return FoundNote(where, None, row)


def _in_processes(tasks: list[Any], workers: int) -> Iterator[Stretch]:
    """Have stretches looked at by processes, few of them ahead of what was taken."""
    # Spawned: a forked child must not use SQLite files that its parent has open.
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    waiting: list[Future[Stretch]] = []
    with ProcessPoolExecutor(workers, mp_context=context, initializer=gc.disable) as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(check_stretch, *task))
                if len(waiting) > 2 * workers:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()
        except BaseException:
            # What waits in the queue is not to be looked at any more.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def checkpoint_of(text: str) -> Note:
    """Return a checkpoint's note.

    Raises:
        InvalidNote: it is none.
    """
    note = Note.of_text(text)
    Checkpoint.of_text(note.text)
    return note
