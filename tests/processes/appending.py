"""A process that has a ledger open, and appends one event for each line on its input.

``python -m tests.processes.appending LEDGER``
"""

import sys

from minutebook.actors.ledger.sqlite import SqliteLedger
from tests.contract.trail import Counted, new_encoder, stored

if __name__ == "__main__":
    encoder = new_encoder()
    ledger = SqliteLedger(sys.argv[1], encoder)
    for number, _ in enumerate(sys.stdin):
        ledger.append([stored(encoder, Counted(who="other", number=number), number, "0b" * 16)])
        print("appended", flush=True)
    ledger.close()
