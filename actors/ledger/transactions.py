"""A transaction on an APSW connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Commit what the block does, or none of it; takes the write lock at once.

    Not APSW's ``with connection``, whose exit holds the GIL through the fsync (APSW 3.54).
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite rolls back by itself on some errors (a full disk is one).
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
