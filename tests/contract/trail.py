"""What the tests of the trail share: an event that names its teller, faults, and what must hold."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.reader import LedgerReader
from minutebook.actors.ledger.steps import GiveWay
from minutebook.actors.settings import Settings
from minutebook.actors.system import AuditSystem
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.entry import Entry, Receipt, leaf_hash, leaf_input
from minutebook.domain.errors import DuplicateEvent
from minutebook.domain.event import AuditEvent
from minutebook.domain.redaction import KEY_BYTES, Redactor

PRODUCER = "0a" * 16

ROOT = Path(__file__).resolve().parents[2]

WAIT_S = 60.0
"""Longer than anything here takes, even on a busy machine; what takes longer hangs."""


class Counted(AuditEvent, type="trail.counted"):
    """One of many that somebody tells."""

    who: str
    number: int
    note: str = ""


def new_encoder() -> Encoder:
    return Encoder(Redactor(b"k" * KEY_BYTES))


def stored(encoder: Encoder, event: AuditEvent, seq: int, producer: str = PRODUCER) -> bytes:
    return with_producer(encoder.encode_head(event), producer, seq)


def many(encoder: Encoder, count: int, *, first: int = 0, producer: str = PRODUCER) -> list[bytes]:
    return [
        stored(encoder, Counted(who="x", number=number), number, producer)
        for number in range(first, first + count)
    ]


def entries_of(path: str | os.PathLike[str]) -> list[Entry]:
    with LedgerReader(path) as reader:
        return list(reader.entries())


def counted(entries: Iterable[Entry]) -> list[tuple[str, int]]:
    """Who told which number, in the ledger's order."""
    return [
        (entry.payload["who"], entry.payload["number"])
        for entry in entries
        if entry.type == Counted.type
    ]


def check_trail(entries: Sequence[Entry]) -> None:
    """What holds of every ledger: indexes, hashes, ids, and each producer's sequence."""
    assert [entry.log_index for entry in entries] == list(range(len(entries)))
    assert len({entry.id for entry in entries}) == len(entries)
    sequences: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        assert entry.leaf_hash == leaf_hash(leaf_input(entry.recorded_at, entry.body))
        sequences[entry.producer].append(entry.producer_seq)
    for sequence in sequences.values():
        assert sequence == list(range(len(sequence)))


class Fault(NamedTuple):
    """One failing call of `append`."""

    error: BaseException
    persisted: bool = False
    """Whether the batch is committed all the same, and only the answer is lost."""


Verdict = Callable[[Sequence[bytes]], Fault | None]


class FaultyLedger:
    """A real ledger, some of whose appends fail.

    Args:
        ledger: the real one.
        faults: one for each of the first calls; ``None`` lets a call through.
        verdict: asked about each call after those.
    """

    def __init__(
        self,
        ledger: Ledger,
        faults: Iterable[Fault | None] = (),
        verdict: Verdict = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._faults = iter(faults)
        self._verdict = verdict
        self.sizes: list[int] = []
        """Events of each call, failed ones included."""
        self.gate = threading.Event()
        """Calls wait for it; it is open unless a test clears it."""
        self.gate.set()
        self.entered = threading.Event()
        """Set by each call."""

    def append(
        self, bodies: Sequence[bytes], give_way: GiveWay | None = None
    ) -> list[Receipt | DuplicateEvent]:
        self.sizes.append(len(bodies))
        self.entered.set()
        self.gate.wait()
        fault = next(self._faults, None) or self._verdict(bodies)
        if fault is None:
            return self._ledger.append(bodies, give_way)
        if fault.persisted:
            self._ledger.append(bodies, give_way)
        raise fault.error

    def next_index(self) -> int:
        return self._ledger.next_index()

    def checkpoint(self) -> None:
        self._ledger.checkpoint()

    def close(self) -> None:
        self._ledger.close()

    def leave(self) -> None:
        self._ledger.leave()

    def renew(self) -> None:
        self._ledger.renew()


def system_on(
    ledger: Ledger, encoder: Encoder, *, path: Path = Path("a-ledger"), batch_max: int = 512
) -> AuditSystem:
    """A system without services: the AuditActor, its caller's side, health and close."""
    return AuditSystem(path, Settings(batch_max=batch_max), ledger, encoder)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def start_child(module: str, *arguments: object) -> subprocess.Popen[str]:
    """Start one of the tests' modules as a process with pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_child(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one of the tests' modules to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
