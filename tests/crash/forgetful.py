"""A host that never closes its system: ``python -m tests.crash.forgetful LEDGER HOW``."""

import os
import sys
import threading

from minutebook.actors import AuditSystem
from minutebook.actors.teller import Teller
from tests.contract.trail import Counted


def told(path: str) -> AuditSystem:
    system = AuditSystem.open(path)
    for number in range(1000):
        system.audit.tell(Counted(who="x", number=number))
    return system


def told_and_let_go(path: str) -> Teller:
    return told(path).audit


if __name__ == "__main__":
    path, how = sys.argv[1:]
    if how == "let go":
        told_and_let_go(path)  # nobody has the system any more
    elif how == "teller only":
        teller = told_and_let_go(path)
    elif how == "thread":
        thread = threading.Thread(target=told, args=(path,))
        thread.start()
    elif how == "forked":
        system = told(path)
        child = os.fork()
        if child == 0:
            sys.exit(7)  # runs the exit handlers of the child, which has no threads
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))
    else:
        system = told(path)
        if how == "sys.exit":
            sys.exit(3)
        elif how == "exception":
            raise ZeroDivisionError
        elif how == "service":
            system.sessions.create(actor_name="local/reviewer").get(timeout=30)
