"""A process that has changed a state and not told it: ``python -m ... LEDGER``."""

import sys
import threading

from minutebook.actors import AuditSystem
from minutebook.actors.outbox import Outbox
from minutebook.domain import bind

if __name__ == "__main__":

    def hang(outbox: Outbox) -> None:
        print("held back", flush=True)
        threading.Event().wait()

    system = AuditSystem.open(sys.argv[1])
    setattr(Outbox, "_tell_untold", hang)  # noqa: B010 - a method is not to be assigned
    with bind(identity="bob"):
        system.sessions.create(actor_name="a")
    threading.Event().wait()
