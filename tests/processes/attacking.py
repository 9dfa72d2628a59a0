"""Somebody who guesses: ``python -m tests.processes.attacking LEDGER NAME GUESSES END``.

Waits for a line, tries so many wrong passwords, and then ends: with the system closed, or by
SIGKILL.
"""

import contextlib
import os
import signal
import sys

from minutebook.actors import AuditSystem
from minutebook.domain import AuthenticationFailed

if __name__ == "__main__":
    path, name, guesses, end = sys.argv[1:]
    system = AuditSystem.open(path, lockout_base=3600.0)
    print("ready", flush=True)
    sys.stdin.readline()
    pending = [system.auth.authenticate(name, f"guess {number}") for number in range(int(guesses))]
    for future in pending:
        with contextlib.suppress(AuthenticationFailed):
            future.get(timeout=60)
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    system.close()
