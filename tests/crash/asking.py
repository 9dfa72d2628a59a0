"""A process that asks events and says which have a receipt, until it is killed.

``python -m tests.crash.asking LEDGER THREADS``; prints an id a line once its future resolved.
"""

import itertools
import os
import sys
import threading
from collections import deque

from minutebook.actors import AuditSystem
from tests.contract.trail import Counted

PENDING_MAX = 50


def ask(system: AuditSystem, who: str) -> None:
    pending = deque()  # type: ignore[var-annotated]
    for number in itertools.count():
        event = Counted(who=who, number=number)
        pending.append((event.id, system.audit.ask(event)))
        system.audit.tell(Counted(who=f"{who} told", number=number))
        if len(pending) == PENDING_MAX:
            event_id, future = pending.popleft()
            future.get(timeout=60)
            os.write(1, f"{event_id}\n".encode())  # one call, so that lines stay whole


if __name__ == "__main__":
    opened = AuditSystem.open(sys.argv[1])
    for name in range(int(sys.argv[2])):
        threading.Thread(target=ask, args=(opened, str(name)), daemon=True).start()
    threading.Event().wait()
