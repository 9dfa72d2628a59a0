"""What an event costs in a small and in a large ledger, and the memory under a backlog.

At 10^4 to 10^7 entries (with --quick to 10^5): telling and committing through an open system,
and appending batches to the ledger alone, as large as a system under load makes them, whose
events are of 1,000 users at random. Then the ledger is locked by somebody else, and events are
told until they are refused: the memory of the process must stay within what the configured
backlog takes.

    python -m benchmarks scale --json results/scale.json
    python -m benchmarks scale --ledgers /var/tmp/ledgers     # kept, and used again

Filling 10^7 entries takes a quarter of an hour and 12 GB; verifying and querying use the same.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import histogram
from benchmarks.conditions import conditions
from benchmarks.document import write_document
from benchmarks.options import Options, parse, scratch
from benchmarks.peers.minutebook import NAME, Journaled
from benchmarks.peers.raw_apsw import encoder
from benchmarks.runner import Runner
from benchmarks.sized import QUICK_SIZES, SIZES, Ledgers, SizedLedger
from benchmarks.table import print_conditions, print_table
from minutebook.actors.inbox import BATCH_MAX
from minutebook.actors.ledger.sqlite import SqliteLedger

Results = dict[str, Any]

COPY_BELOW = 1_000_000
"""Smaller ledgers are copied for each measurement, which would change their size too much."""

STALLED = (("journaled", 20_000), ("journaled", 100_000), ("buffered", 20_000))
"""Delivery and backlog_max of the systems whose memory is measured."""

SIZE_OPTIONS: tuple[tuple[str, dict[str, object]], ...] = (
    ("--ledgers", {"type": Path, "help": "keep the filled ledgers there, and use them again"}),
    (
        "--max-size",
        {"type": int, "default": max(SIZES), "help": "largest ledger (default: 10000000)"},
    ),
)
"""What `scale`, `query` and `verify` have in common."""


def sizes(options: Options) -> list[int]:
    """Return the sizes of a run."""
    asked = QUICK_SIZES if options.quick else SIZES
    return [size for size in asked if size <= options.arguments.max_size]


def measure(options: Options, runner: Runner, ledgers: Ledgers) -> Results:
    """Measure all sizes, and then the memory."""
    found: dict[int, list[Results]] = {}
    filled = {}
    stalled = STALLED[:1] if options.quick else STALLED
    runner.expect(len(sizes(options)) * (options.repeat + 1) + len(stalled))
    for size in sizes(options):
        runner.step(f"scale: filling {size:,}")
        filled[size] = ledgers.get(size)
    for turn in range(options.repeat):
        for size, ledger in filled.items():
            runner.step(f"scale, round {turn + 1} of {options.repeat}: {size:,}")
            one = _measure_one(runner, ledger, 2000 if options.quick else 20_000)
            if one is not None:
                found.setdefault(size, []).append(one)
    by_size = {
        str(size): {
            key: histogram.summary([one[key] for one in rounds])
            for key in ("told_us", "told_cpu_us", "appended_us")
        }
        | {"file_bytes": rounds[-1]["file_bytes"]}
        for size, rounds in found.items()
    }
    first = next(iter(by_size.values()), None)
    for one in by_size.values():
        assert first is not None
        one["to_smallest"] = {
            key: one[key]["median"] / first[key]["median"] for key in ("told_us", "appended_us")
        }
    memory = []
    for delivery, backlog_max in stalled:
        runner.step(f"scale: memory with {backlog_max:,} {delivery} events in the backlog")
        memory.append(_stall(runner, delivery, backlog_max))
    return {"sizes": by_size, "memory": memory}


def _measure_one(runner: Runner, ledger: SizedLedger, calls: int) -> Results | None:
    with runner.place() as place:
        directory = ledger.directory
        if ledger.size < COPY_BELOW:
            directory = place / "copy"
            shutil.copytree(ledger.directory, directory)
        task = {
            "task": "throughput",
            "peer": "journaled",
            "directory": str(directory),
            "calls": calls,
            "existing": Journaled().count(directory),
        }
        told = runner.finish(task, *runner.start(task))
        if told is None:
            return None
        appended_us = _append(ledger, directory / NAME, max(2, calls // BATCH_MAX))
        file_bytes = (directory / NAME).stat().st_size
    assert told["recorded"] == told["emitted"], told
    return {
        "told_us": told["us_an_event"],
        "told_cpu_us": told["cpu_us_an_event"],
        "appended_us": appended_us,
        "file_bytes": file_bytes,
    }


def _append(ledger: SizedLedger, path: Path, batches: int) -> float:
    """Return the microseconds of an entry, over all batches but the first two."""
    storage = SqliteLedger(path, encoder())
    taken = []
    try:
        for _ in range(batches + 2):
            bodies = ledger.bodies(BATCH_MAX)
            begun = time.perf_counter()
            storage.append(bodies)
            taken.append((time.perf_counter() - begun) * 1e6 / BATCH_MAX)
    finally:
        storage.close()
    return statistics.mean(taken[2:])


def _stall(runner: Runner, delivery: str, backlog_max: int) -> Results:
    with runner.place() as place:
        command = [sys.executable, "-m", "benchmarks.stalled", str(place), delivery]
        run = subprocess.run(
            [*command, str(backlog_max)],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            check=True,
            timeout=180,
        )
    found: Results = json.loads(run.stdout)
    return found


def show(results: Results) -> None:
    """Print both tables."""
    print_table(
        ["entries", "", "told us", "cpu us", "to smallest", "appended us", "to smallest", "GB"],
        [
            [
                f"{int(size):,}",
                "",
                *(f"{one[key]['median']:.1f}" for key in ("told_us", "told_cpu_us")),
                f"{one['to_smallest']['told_us']:.2f}",
                f"{one['appended_us']['median']:.1f}",
                f"{one['to_smallest']['appended_us']:.2f}",
                f"{one['file_bytes'] / 1e9:.2f}",
            ]
            for size, one in results["sizes"].items()
        ],
    )
    print_table(
        ["ledger locked", "backlog", "taken", "refused", "grew MiB", "bytes an event"],
        [
            [
                one["delivery"],
                f"{one['backlog_max']:,}",
                f"{one['taken']:,}",
                f"{one['refused']:,}",
                f"{one['grown_bytes'][-1] / 2**20:.1f}",
                f"{one['grown_bytes'][-1] / max(1, one['taken']):.0f}",
            ]
            for one in results["memory"]
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    options = parse(argv, "scale", __doc__, repeat=3, add=SIZE_OPTIONS)
    with scratch(options) as directory:
        where = conditions(directory, rounds=options.repeat)
        runner = Runner(directory)
        results = measure(options, runner, ledgers_of(options, directory))
    runner.done()
    if options.json != "-":
        print_conditions(where)
        show(results)
    write_document(options.json, where, results, skipped=runner.skipped, failed=runner.failed)
    return 1 if runner.failed else 0


def ledgers_of(options: Options, directory: Path) -> Ledgers:
    """Return where the filled ledgers of a run are."""
    kept: Path | None = options.arguments.ledgers
    if kept is None:
        kept = directory / "ledgers"
    kept.mkdir(parents=True, exist_ok=True)
    return Ledgers(kept)
