"""Reading a ledger back: what the command line and hosts ask of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final

import apsw

from minutebook.actors.ledger import selection
from minutebook.actors.ledger.blocks import block_of, first_of, last_of
from minutebook.actors.ledger.inspection import inspect_ledger
from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.selection import Selection
from minutebook.actors.ledger.spans import stretch
from minutebook.actors.ledger.statement import Statement
from minutebook.actors.ledger.subject_keys import KEYS_SUFFIX, changed_at, open_with
from minutebook.actors.ledger.tombstones import has_tombstones, tombstone_of
from minutebook.domain.entry import Entry
from minutebook.domain.errors import AmbiguousEntry, EntryNotFound, InvalidQuery
from minutebook.domain.personal import Opener, has_sealed, revealed
from minutebook.domain.query import EntryFilter, is_glob
from minutebook.domain.surrogates import escape

ID_PREFIX_MIN: Final = 8
"""Fewest characters of an id that name an entry."""

PAGE_ROWS_MAX: Final = 256
"""Most entries that are in memory at once while reading."""

_WINDOW_MIN: Final = 2 * PAGE_ROWS_MAX
_INDEX_MAX: Final = 2**63 - 1
_EVERYTHING: Final = EntryFilter()


class LedgerReader:
    """Reads a ledger file; ``with LedgerReader(path) as reader: ...``.

    Works on a ledger that other processes are writing, on a read-only file or file system,
    and on what a killed process left. Writes nothing, and makes no missing file. Used by
    one thread at a time.

    Args:
        path: the file.
        busy_timeout_s: how long to wait while somebody recovers the log of a killed writer.

    Raises:
        LedgerMissing, LedgerPathError: there is no file, or something that is none.
        NotALedger, LedgerTooNew, LedgerCorrupt: as they say.
        LedgerReadOnly: committed entries are in a write-ahead log that cannot be read here.
        LedgerUnavailable: the operating system refuses the file.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_s: float = 5.0) -> None:
        self._file = LedgerFile(path, busy_timeout_s=busy_timeout_s)
        self.path = self._file.path
        self._keys: tuple[tuple[int, ...], Opener] | None = None
        self._file.run(lambda connection: inspect_ledger(connection, self.path))

    def __enter__(self) -> LedgerReader:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; harmless when it was closed before."""
        self._file.close()

    def entries(
        self, wanted: EntryFilter = _EVERYTHING, limit: int | None = None
    ) -> Iterator[Entry]:
        """Yield the entries that match, newest last.

        They are those of the moment when the first is taken; what is committed later is
        left out. At most `PAGE_ROWS_MAX` of them are in memory.

        Args:
            wanted: which.
            limit: only so many of the newest, at least 1; all when not given.

        Raises:
            InvalidQuery: at once, when the limit is none.
            LedgerError: while reading, of the kind that fits.
        """
        if limit is not None and limit < 1:
            msg = f"a limit of {limit} entries shows none; give 1 or more."
            raise InvalidQuery(msg)
        return self._entries(wanted, limit)

    def get(self, name: str) -> Entry:
        """Return one entry.

        Args:
            name: its id, at least the first 8 characters of it, or its index.

        Raises:
            EntryNotFound: there is none.
            AmbiguousEntry: more than one fits.
            InvalidQuery: it is too short for the beginning of an id.
        """
        text = name.strip().lower()
        found: list[Entry] = []
        # A leading zero is an id's: those of UUIDs made by time have one, indexes none.
        is_index = text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
        if is_index and len(text) < 20 and int(text) <= _INDEX_MAX:
            found += map(Entry._make, self._rows(selection.by_index(int(text))))
        if len(text) >= ID_PREFIX_MIN:
            found += map(Entry._make, self._rows(selection.by_id_prefix(text, 2)))
        elif not is_index:
            msg = (
                f"{name!r:.80} names no entry: give an index, an id, or at least the first"
                f" {ID_PREFIX_MIN} characters of one."
            )
            raise InvalidQuery(msg)
        if not found:
            self._refuse_pruned(text, name, is_index=is_index)
            msg = f"ledger {self.path} has no entry {name!r:.80}; list its entries to find it."
            raise EntryNotFound(msg)
        if len({entry.log_index for entry in found}) > 1:
            msg = (
                f"{name!r:.80} may be entry {found[0].log_index} ({found[0].id}), entry"
                f" {found[1].log_index} ({found[1].id}) or others; give more of the id."
            )
            raise AmbiguousEntry(msg)
        return found[0]

    def _refuse_pruned(self, text: str, name: str, *, is_index: bool) -> None:
        if is_index and int(text) > _INDEX_MAX:
            return
        place: int | str = int(text) if is_index else escape(text)
        pruned = self._file.run(lambda connection: tombstone_of(connection, place))
        if pruned is not None:
            msg = (
                f"entry {name!r:.80} was pruned, as entry {pruned[1]} tells; if it was archived,"
                " look for it in its segment."
            )
            raise EntryNotFound(msg)

    def revealed(self, entry: Entry) -> dict[str, Any]:
        """Return an entry's payload with its personal fields in clear.

        One whose key was destroyed reads ``[erased]``, one whose key is not in the file beside
        the ledger ``[sealed]``.

        Raises:
            SubjectKeysError: that file cannot be read.
        """
        payload = entry.payload
        if not has_sealed(payload):
            return payload
        return revealed(payload, entry.id, entry.type, self._opener())

    def _opener(self) -> Opener:
        path = self.path.with_name(self.path.name + KEYS_SUFFIX)
        seen = changed_at(path)
        if self._keys is None or self._keys[0] != seen:
            self._keys = seen, open_with(path)
        return self._keys[1]

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return those of some whole ids that the ledger has, or had before they were pruned."""

        def read(connection: apsw.Connection) -> set[str]:
            statement = selection.by_ids(ids, pruned=has_tombstones(connection))
            return {row[0] for row in connection.execute(*statement)}

        return self._file.run(read)

    def count(self) -> int:
        """Return how many entries there are."""
        return int(self._rows(selection.COUNT)[0][0])

    def last_index(self) -> int | None:
        """Return the index of the newest entry; ``None`` when there is none."""
        index = self._rows(selection.LAST_INDEX)[0][0]
        return None if index is None else int(index)

    def _entries(self, wanted: EntryFilter, limit: int | None) -> Iterator[Entry]:
        # Entries are never changed, so short queries below a fixed index see one state of
        # the ledger, without a transaction that would keep the writer's log from emptying.
        first, last = 0, self.last_index()
        types = self._types(wanted)
        if last is None or (wanted.types and not types):
            return
        if wanted.since is not None or wanted.until is not None:
            found = stretch(self._rows, wanted.since, wanted.until, last)
            if found is None:
                return
            first, last = found
        selected = Selection.of(wanted, types)
        if limit is not None and not selected.conditions:
            first = max(first, last + 1 - limit)
        elif limit is not None:
            first = self._file.run(partial(_nth_newest, selected, first, last, limit))
        # Where the index has no order by itself (of several types), a window bounds what is
        # sorted for each page; it grows over stretches that have few of the entries.
        window = _WINDOW_MIN
        while first <= last:
            end = min(first + window - 1, last)
            if selected.by_block:
                end = min(last_of(block_of(first)), last)
            rows = self._rows(selected.page(first, end, PAGE_ROWS_MAX))
            yield from map(Entry._make, rows)
            if len(rows) == PAGE_ROWS_MAX:
                first = rows[-1][0] + 1
                window = max(window // 2, _WINDOW_MIN)
            else:
                first = end + 1
                window *= 2

    def _types(self, wanted: EntryFilter) -> list[str]:
        types: dict[str, None] = {}
        for pattern in wanted.types:
            if is_glob(pattern):
                types.update((row[0], None) for row in self._rows(selection.types_like(pattern)))
            else:
                types[pattern] = None
        return list(types)

    def _rows(self, statement: Statement) -> list[Any]:
        def read(connection: apsw.Connection) -> list[Any]:
            return connection.execute(*statement).fetchall()

        return self._file.run(read)


def _nth_newest(
    selected: Selection, first: int, last: int, n: int, connection: apsw.Connection
) -> int:
    """Return the index of the n-th newest entry in a range; its lowest when there are fewer."""
    if not selected.by_block:
        nth: Any = connection.execute(*selected.nth_newest(first, last, n)).fetchone()
        return first if nth is None else int(nth[0])
    for block in range(block_of(last), block_of(first) - 1, -1):
        low, high = max(first, first_of(block)), min(last, last_of(block))
        found: Any = connection.execute(*selected.newest(low, high, n)).fetchall()
        n -= len(found)
        if n == 0:
            return int(found[-1][0])
    return first
