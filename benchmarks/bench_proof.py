"""What proofs cost: verifying a ledger, proving an entry, and growing the tree in the writer.

A ledger of so many entries of about 550 stored bytes is made, with a checkpoint every 4,096; it
is verified with one process and with as many as there are processors; proofs of entries anywhere
in it are made, each from a ledger that is opened for it, and once more from one that stays open.

    python -m benchmarks proof --entries 1000000 --json results/proof.json
"""

import argparse
import os
import platform
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.document import write_document
from benchmarks.workload import OrderShipped
from minutebook.actors.ledger.proving import Prover
from minutebook.actors.ledger.side_log import SideLog
from minutebook.actors.ledger.signing import Signing
from minutebook.actors.ledger.signing_key import KeySource
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.redaction import KEY_BYTES, Redactor

BATCH = 512
PROOFS = 200


def make(path: Path, entries: int) -> float:
    """Make the ledger; return how many microseconds an entry took to commit."""

    def signing(resolved: Path) -> Signing:
        keys = KeySource(resolved.with_name("key"))
        return Signing(resolved, keys, SideLog(resolved.with_name("side.log")))

    encoder = Encoder(Redactor(bytes(KEY_BYTES)))
    ledger = SqliteLedger(path, encoder, signing=signing)
    spent = 0.0
    for first in range(0, entries, BATCH):
        bodies = [
            with_producer(encoder.encode_head(_event(number)), "0a" * 16, number)
            for number in range(first, min(first + BATCH, entries))
        ]
        begun = time.perf_counter()
        ledger.append(bodies)
        spent += time.perf_counter() - begun
    ledger.checkpoint()
    ledger.close()
    return spent / entries * 1e6


def _event(number: int) -> OrderShipped:
    return OrderShipped(
        order_id=f"A-{number}",
        carrier="by sea",
        tags=["fragile", "gift"],
        lines=[],
        note="n" * 120,
        user_identity="alice@example.com",
        correlation_id=f"req-{number // 10}",
    )


def measure(entries: int) -> dict[str, Any]:
    """Return the figures of one ledger."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "audit.db"
        figures: dict[str, Any] = {"entries": entries, "commit_us": make(path, entries)}
        figures["ledger_mib"] = path.stat().st_size / 2**20
        for workers in sorted({1, os.cpu_count() or 1}):
            begun, used = time.perf_counter(), _cpu_seconds()
            report = verify_ledger(path, workers=workers)
            seconds = time.perf_counter() - begun
            assert report.verdict == "ok", report.findings
            figures[f"verify_per_second_{workers}"] = entries / seconds
            figures[f"verify_cpu_us_{workers}"] = (_cpu_seconds() - used) / entries * 1e6
        chance = random.Random(1)
        places = [str(chance.randrange(entries)) for _ in range(PROOFS)]
        figures["prove_opened_ms"] = _timed(lambda place: _prove_alone(path, place), places)
        with Prover(path) as prover:
            figures["prove_ms"] = _timed(prover.entry, places)
            sizes = [str(chance.randrange(1, entries)) for _ in range(PROOFS)]
            figures["prove_growth_ms"] = _timed(lambda size: prover.growth(int(size)), sizes)
    return figures


def _cpu_seconds() -> float:
    """Return what this process and those that it waited for have used: on a busy machine it says
    more than the clock does.
    """
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _prove_alone(path: Path, place: str) -> None:
    with Prover(path) as prover:
        prover.entry(place)


def _timed(prove: Any, places: list[str]) -> dict[str, float]:
    times = []
    for place in places:
        begun = time.perf_counter()
        prove(place)
        times.append((time.perf_counter() - begun) * 1e3)
    times.sort()
    return {
        "p50": statistics.median(times),
        "p99": times[int(len(times) * 0.99)],
        "max": times[-1],
    }


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark, and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks proof", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="where the figures go as JSON")
    chosen = parser.parse_args(argv)
    figures = measure(chosen.entries)
    conditions = {"python": platform.python_version(), "processors": os.cpu_count()}
    for name, value in {**conditions, **figures}.items():
        print(f"{name:24} {value}")
    write_document(chosen.json, conditions, figures)
    return 0
