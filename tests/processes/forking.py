"""A host that forks with its system open: ``python -m tests.processes.forking LEDGER HOW``."""

import os
import signal
import sys

from minutebook.actors import AuditSystem
from tests.contract.trail import Counted


def main(path: str, how: str) -> None:
    system = AuditSystem.open(path)
    child = os.fork()
    who = "parent" if child else "child"
    for number in range(1000):
        system.audit.tell(Counted(who=who, number=number))
    if child:
        _, status = os.waitpid(child, 0)
        sys.exit(0 if os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL) else 1)
    if how == "os._exit":
        os._exit(0)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
