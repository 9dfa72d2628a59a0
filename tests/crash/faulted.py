"""A host whose system calls fail: tells, asks, and notes what was acknowledged.

``python -m tests.crash.faulted LEDGER``. Each line on standard output is JSON: ``told`` with a
number, ``receipt`` with id, index and hash, or an ``error`` of ours, and where. It goes on after
every error, and ends with status 3 when the ledger cannot be opened, else with 0.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import sys

from minutebook.actors import AuditSystem
from minutebook.domain.errors import MinutebookError
from tests.contract.trail import Counted

NOTE = "n" * 40_000
"""Large, so that few events fill segments, and make SQLite empty its write-ahead log."""

ROUNDS = 30
TOLD_A_ROUND = 4
WAIT_S = 30.0

_chance = random.Random(7)


def _drawn(nbytes: int | None = None) -> str:
    """The same ids in each run: the runner names the files whose system calls are to fail."""
    return _chance.randbytes(nbytes or 16).hex()


def say(**what: object) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")  # one call, so that lines stay whole


def work(system: AuditSystem) -> None:
    for number in range(ROUNDS * TOLD_A_ROUND):
        event = Counted(who="host", number=number, note=NOTE)
        try:
            if number % TOLD_A_ROUND == TOLD_A_ROUND - 1:
                receipt = system.audit.ask(event).get(timeout=WAIT_S)
                say(receipt=event.id, index=receipt.log_index, hash=receipt.leaf_hash.hex())
            else:
                system.audit.tell(event)
                say(told=number)
        except MinutebookError as error:
            say(error=f"{type(error).__name__}: {error}", at=number)
    try:
        system.sessions.create(actor_name="local/host").get(timeout=WAIT_S)
    except MinutebookError as error:
        say(error=f"{type(error).__name__}: {error}", at="session")


def main() -> int:
    secrets.token_hex = _drawn
    try:
        system = AuditSystem.open(sys.argv[1], block_timeout=1.0)
    except MinutebookError as error:
        say(error=f"{type(error).__name__}: {error}", at="open")
        return 3
    work(system)
    try:
        system.close(timeout=WAIT_S)
    except MinutebookError as error:
        say(error=f"{type(error).__name__}: {error}", at="close")
    return 0


if __name__ == "__main__":
    sys.exit(main())
