"""A process whose files may not grow for a while, like on a full disk.

``python -m tests.crash.full_disk LEDGER recover|close|forget``: tells 3,000 events of which only
the first fit; then the limit is lifted, or it closes in spite of it, or it just ends.
"""

import json
import resource
import signal
import sys
import time

from minutebook.actors import AuditSystem
from minutebook.domain.errors import UncommittedEvents
from tests.contract.trail import WAIT_S, Counted

if __name__ == "__main__":
    path, ending = sys.argv[1:]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails with EFBIG instead
    system = AuditSystem.open(path, exit_timeout=0.2, batch_max=100)
    system.audit.ask(Counted(who="x", number=0)).get(timeout=WAIT_S)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    for number in range(1, 3000):
        system.audit.tell(Counted(who="x", number=number, note="n" * 300))
    while system.health().status != "degraded":
        time.sleep(0.01)
    said = system.health()
    print(json.dumps({"reason": said.reason, "backlog": said.backlog}), flush=True)
    if ending == "recover":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        system.flush(timeout=WAIT_S)
        print(system.health().status, system.health().backlog, flush=True)
        system.close()
    elif ending == "close":
        try:
            system.close(timeout=0.2)
        except UncommittedEvents as error:
            print(error.count, flush=True)
