"""A writer among many: tells its share of events, and notes how far it is, until it is killed.

The notes are two numbers in a mapped file, which outlives the process as the journal does: how
many events were told, and how many are known to be committed.

    python contending.py LEDGER NOTES NAME SHARE BURST
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

from minutebook.actors import AuditSystem
from minutebook.domain import AuditEvent


class Contended(AuditEvent, type="test.contended"):
    who: str
    number: int
    text: str = "x" * 200


def main() -> None:
    ledger, notes, name, share, burst = sys.argv[1:]
    with Path(notes).open("r+b") as file:
        noted = mmap.mmap(file.fileno(), 16)
    with AuditSystem.open(ledger) as system:
        print("open", flush=True)
        sys.stdin.readline()
        for number in range(1, int(share) + 1):
            event = Contended(who=name, number=number)
            if number % int(burst):
                system.audit.tell(event)
                noted[0:8] = number.to_bytes(8, "little")
            else:
                # The end of a burst waits for its commit: all writers want a turn, all the time.
                receipt = system.audit.ask(event)
                noted[0:8] = number.to_bytes(8, "little")
                receipt.get()
                noted[8:16] = number.to_bytes(8, "little")


if __name__ == "__main__":
    main()
