"""A process that tells as fast as it can, or at a pace, and notes what has returned.

Each thread has eight bytes of a mapped file for the number of its last tell that returned:
they are in the page cache, and so outlive the process as the journal does.

    python telling.py LEDGER NOTES THREADS PER_SECOND DELIVERY
"""

from __future__ import annotations

import mmap
import sys
import threading
import time
from pathlib import Path
from typing import Any

from minutebook.actors import AuditSystem
from minutebook.domain import AuditEvent


class Numbered(AuditEvent, type="crash_test.numbered"):
    who: int
    number: int
    text: str = "x" * 200


def main() -> None:
    ledger, notes, threads, per_second, delivery = sys.argv[1:]
    count = int(threads)
    with Path(notes).open("r+b") as file:
        noted = mmap.mmap(file.fileno(), 8 * count)
    chosen: Any = delivery
    system = AuditSystem.open(ledger, delivery=chosen)
    pause_s = 0.0 if per_second == "0" else count / float(per_second)

    def tell(who: int) -> None:
        number = 0
        while True:
            number += 1
            system.audit.tell(Numbered(who=who, number=number))
            noted[8 * who : 8 * who + 8] = number.to_bytes(8, "little")
            if pause_s:
                time.sleep(pause_s)

    for who in range(count):
        threading.Thread(target=tell, args=(who,), daemon=True).start()
    print("telling", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
