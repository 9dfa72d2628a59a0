"""A process that appends large events: ``python -m tests.processes.filling LEDGER NAME COUNT``."""

import sys

from minutebook.actors.ledger.sqlite import SqliteLedger
from tests.contract.trail import Counted, new_encoder, stored

if __name__ == "__main__":
    path, name, count = sys.argv[1:]
    encoder = new_encoder()
    ledger = SqliteLedger(path, encoder)
    for first in range(0, int(count), 10):
        events = [Counted(who=name, number=first + n, note="n" * 8000) for n in range(10)]
        ledger.append(
            [stored(encoder, event, event.number, name * 32) for event in events],
        )
    ledger.close()
