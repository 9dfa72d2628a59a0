"""A process that appends batches of its own to a ledger that others write, too.

``python -m tests.processes.writing LEDGER NAME BATCHES SIZE``
"""

import sys

from minutebook.actors.ledger.sqlite import SqliteLedger
from tests.contract.trail import Counted, new_encoder, stored

if __name__ == "__main__":
    path, name, batches, size = sys.argv[1:]
    encoder = new_encoder()
    print("ready", flush=True)
    sys.stdin.readline()
    ledger = SqliteLedger(path, encoder)
    for batch in range(int(batches)):
        numbers = range(batch * int(size), (batch + 1) * int(size))
        outcomes = ledger.append(
            [stored(encoder, Counted(who=name, number=n), n, name * 16) for n in numbers]
        )
        print(*(outcome[0] for outcome in outcomes if isinstance(outcome, tuple)), flush=True)
    ledger.close()
