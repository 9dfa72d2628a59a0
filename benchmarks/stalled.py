"""The memory of a process whose ledger somebody else has locked, told until it refuses.

``python -m benchmarks.stalled DIRECTORY DELIVERY BACKLOG_MAX`` prints JSON.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.child import rss_bytes
from benchmarks.workload import bound, build
from minutebook.actors import AuditSystem
from minutebook.domain.errors import AuditBacklogFull

LOCK = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60);"
    "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
)
"""Another process, with another copy of SQLite."""

STEP = 1000


def main() -> int:
    """Tell three times the backlog, and note the memory on the way."""
    path, delivery, backlog_max = Path(sys.argv[1]) / "audit.db", sys.argv[2], int(sys.argv[3])
    options: dict[str, Any] = {"delivery": delivery, "backlog_max": backlog_max}
    told_at, grown_bytes, taken, refused = [], [], 0, 0
    with AuditSystem.open(path, overflow="reject", close_timeout=60, **options) as system, bound():
        for _ in range(2000):
            system.audit.tell(build())
        system.flush()
        locker = subprocess.Popen(
            [sys.executable, "-c", LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert locker.stdin is not None
        assert locker.stdout is not None
        locker.stdout.readline()
        before = rss_bytes()
        for number in range(3 * backlog_max):
            if number % STEP == 0:
                told_at.append(number)
                grown_bytes.append(rss_bytes() - before)
            try:
                system.audit.tell(build())
                taken += 1
            except AuditBacklogFull:
                refused += 1
        grown_bytes.append(rss_bytes() - before)
        told_at.append(3 * backlog_max)
        locker.stdin.close()
        locker.wait()
        locker.stdout.close()
    thin = max(1, len(told_at) // 60)
    print(
        json.dumps(
            {
                "delivery": delivery,
                "backlog_max": backlog_max,
                "taken": taken,
                "refused": refused,
                "told_at": [*told_at[:-1:thin], told_at[-1]],
                "grown_bytes": [*grown_bytes[:-1:thin], grown_bytes[-1]],
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
