"""A process that dies while it brings the files of a ledger to this version.

``python -m tests.migrations.dying WHAT PATH COUNT``; dies before the COUNT-th statement of
the transaction that does it; or prints how many there were, when there were fewer.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

import apsw

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.ledger.sqlite import SqliteLedger
from tests.contract.trail import new_encoder

executed = itertools.count(1)


def arm(connection: apsw.Connection, count: int) -> None:
    """Set the trap."""

    def trace(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        if connection.in_transaction and next(executed) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    connection.exec_trace = trace


if __name__ == "__main__":
    what, path, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    apsw.connection_hooks.append(lambda connection: arm(connection, count))
    if what == "app":
        AppDatabase(path).close()
    else:
        SqliteLedger(path, new_encoder()).close()
    print(next(executed) - 1)
