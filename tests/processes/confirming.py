"""A reader of its own: for each index that it is given, says whether the ledger has it.

``python -m tests.processes.confirming LEDGER``; one read-only connection, kept open.
"""

import sys

import apsw

if __name__ == "__main__":
    database = apsw.Connection(sys.argv[1], flags=apsw.SQLITE_OPEN_READONLY)
    print("ready", flush=True)
    for line in sys.stdin:
        row = database.execute(
            "SELECT id FROM entries WHERE log_index = ?", (int(line),)
        ).fetchone()
        print(None if row is None else row[0], flush=True)
