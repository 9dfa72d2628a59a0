"""A process of another application, with a write transaction open for a while.

``python -m tests.processes.transaction DATABASE SECONDS``; by the standard library's SQLite.
"""

import sqlite3
import sys
import time

if __name__ == "__main__":
    database = sqlite3.connect(sys.argv[1], isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    print("begun", flush=True)
    time.sleep(float(sys.argv[2]))
    database.execute("ROLLBACK")
    database.close()
