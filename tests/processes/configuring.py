"""A process that changes and reads the configuration of a host that others share.

``python -m tests.processes.configuring LEDGER NAME COUNT``: sets keys of its own, reads all after
each, and goes on reading until it is told to stop.
"""

from __future__ import annotations

import sys
import threading

from minutebook.actors import AuditSystem
from minutebook.domain import bind

WAIT_S = 60.0


def main(ledger: str, name: str, count: int) -> None:
    """Run until a line comes on standard input."""
    stopped = threading.Event()

    def wait_for_a_line() -> None:
        sys.stdin.readline()
        stopped.set()

    with AuditSystem.open(ledger) as system, bind(identity=name):
        print("ready", flush=True)
        sys.stdin.readline()
        threading.Thread(target=wait_for_a_line, daemon=True).start()
        for number in range(count):
            system.config.set(f"{name}.k", number).get(timeout=WAIT_S)
            system.config.list().get(timeout=WAIT_S)
        print("done", flush=True)
        while not stopped.is_set():
            system.config.list().get(timeout=WAIT_S)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
