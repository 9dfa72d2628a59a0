"""A process that lives honestly with a ledger, and ends one way or another.

``python -m tests.proof.living LEDGER SEED``: opens a system with some settings, tells all sorts of
events in all sorts of ways, and is closed, left open, or killed.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from typing import Any

from minutebook.actors import AuditSystem
from minutebook.domain import AuditEvent, bind
from minutebook.domain.errors import DuplicateEvent, InvalidEvent

WAIT_S = 60.0


class Lived(AuditEvent, type="proof_test.lived"):
    """Something happened."""

    number: int
    text: str
    part: float | None = None


TEXTS = ("plain", "", 'say "so"', "back\\slash", "línea\n", "\x00\x1f", "名前", "bad \udcff name")


def live(path: str, seed: int) -> None:
    chance = random.Random(seed)
    settings: dict[str, Any] = {
        "writer": chance.choice(["thread", "thread", "process"]),
        "delivery": chance.choice(["journaled", "journaled", "committed", "buffered"]),
        "batch_max": chance.choice([7, 512, 512]),
        "checkpoint_every": chance.choice([0, 20, 50, 300, 4096]),
        "checkpoint_interval": chance.choice([0.05, 60.0]),
    }
    system = AuditSystem.open(path, service=chance.choice(["app", 'the "shop"']), **settings)
    before: list[Lived] = []
    for number in range(chance.randrange(10, 250)):
        tell(system, chance, number, before)
    if chance.random() < 0.2 and settings["writer"] == "thread":
        fork(system, chance)
    end = chance.random()
    if end < 0.4:
        os.kill(os.getpid(), signal.SIGKILL)
    if end < 0.8:
        system.close(timeout=WAIT_S)


def tell(system: AuditSystem, chance: random.Random, number: int, before: list[Lived]) -> None:
    who = chance.choice(["alice", "bob", "名前", 'o"neil'])
    with bind(identity=who, correlation_id=chance.choice(TEXTS[:3]) or None):
        event = Lived(number=number, text=chance.choice(TEXTS), part=chance.choice([None, 0.5]))
        kind = chance.random()
        if kind < 0.02 and before:
            event = chance.choice(before)  # told again
        elif kind < 0.04 and before:
            event = Lived(id=before[-1].id, number=-1, text="another of the same id")
        before.append(event)
        if kind < 0.1:
            with contextlib.suppress(DuplicateEvent):
                system.audit.ask(event).get(timeout=WAIT_S)
        elif kind < 0.15:
            system.audit.tell(event, "buffered")
        else:
            system.audit.tell(event)
        if kind > 0.97:
            # What cannot be stored leaves a gap.
            with contextlib.suppress(InvalidEvent):
                system.audit.tell(Lived(number=number, text="x" * 300_000), "buffered")


def fork(system: AuditSystem, chance: random.Random) -> None:
    child = os.fork()
    if child == 0:
        for number in range(20):
            system.audit.tell(Lived(number=number, text="told in a child"))
        system.close(timeout=WAIT_S)
        os._exit(0)
    for number in range(chance.randrange(20)):
        system.audit.tell(Lived(number=number, text="told in the parent"))
    os.waitpid(child, 0)


if __name__ == "__main__":
    live(sys.argv[1], int(sys.argv[2]))
