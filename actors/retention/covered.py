"""Which entries are in segments, and in an archive: by what the ledger tells of them."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from minutebook.domain.entry import Record

Range = tuple[int, int]
"""First and last index."""


def sealed_until(connection: apsw.Connection) -> int:
    """Return the index before which all entries are in segments."""
    row = connection.execute(
        "SELECT body FROM entries WHERE type = 'audit.sealed' ORDER BY log_index DESC LIMIT 1"
    ).fetchone()
    return 0 if row is None else int(Record.payload_of(row[0])["last_index"]) + 1


def archived_ranges(connection: apsw.Connection) -> tuple[Range, ...]:
    """Return which entries are in an archive, in order, joined where they touch."""
    found = []
    for (body,) in connection.execute("SELECT body FROM entries WHERE type = 'audit.archived'"):
        payload = Record.payload_of(body)
        found.append((int(payload["first_index"]), int(payload["last_index"])))
    joined: list[Range] = []
    for first, last in sorted(found):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def is_covered(ranges: Sequence[Range], index: int) -> bool:
    """Tell whether an index is in one of some ranges."""
    return any(first <= index <= last for first, last in ranges)
