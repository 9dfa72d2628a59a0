"""How fast `minutebook verify` goes over a ledger: entries a second, start of the program included.

python -m benchmarks verify --json results/verify.json
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import histogram
from benchmarks.bench_scale import SIZE_OPTIONS, ledgers_of, sizes
from benchmarks.conditions import conditions
from benchmarks.document import write_document
from benchmarks.options import Options, parse, scratch
from benchmarks.runner import Runner
from benchmarks.sized import Ledgers
from benchmarks.table import print_conditions, print_table

Results = dict[str, Any]

COMMAND = (sys.executable, "-m", "minutebook.actors.cli", "verify")


def measure(options: Options, runner: Runner, ledgers: Ledgers) -> Results:
    """Verify the ledger of each size, several times."""
    if subprocess.run([*COMMAND, "--help"], capture_output=True).returncode != 0:
        runner.skipped["verify"] = "this Minutebook has no command verify"
        return {}
    results: Results = {}
    runner.expect(2 * len(sizes(options)))
    for size in sizes(options):
        runner.step(f"verify: filling {size:,}")
        ledger = ledgers.get(size)
        runner.step(f"verify: {size:,}")
        rounds = 1 if size > 1_000_000 else options.repeat
        found = [_verify(ledger.path) for _ in range(rounds)]
        results[str(size)] = {
            "entries": found[-1][0],
            "seconds": histogram.summary([seconds for _, seconds in found]),
            "per_second": histogram.summary([entries / seconds for entries, seconds in found]),
        }
    return results


def _verify(path: Path) -> tuple[int, float]:
    begun = time.perf_counter()
    run = subprocess.run([*COMMAND, "--json", str(path)], capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    if run.returncode != 0:
        msg = f"verify found fault with a ledger that is whole: {run.stdout:.300}{run.stderr:.300}"
        raise RuntimeError(msg)
    return json.loads(run.stdout)["entries"], seconds


def show(results: Results) -> None:
    """Print the table."""
    print_table(
        ["entries", "", "seconds", "entries/s"],
        [
            [
                f"{int(size):,}",
                "",
                f"{one['seconds']['median']:.2f}",
                f"{one['per_second']['median']:,.0f}",
            ]
            for size, one in results.items()
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    options = parse(argv, "verify", __doc__, repeat=3, add=SIZE_OPTIONS)
    with scratch(options) as directory:
        where = conditions(directory)
        runner = Runner(directory)
        results = measure(options, runner, ledgers_of(options, directory))
    runner.done()
    if options.json != "-":
        print_conditions(where)
        show(results)
    write_document(options.json, where, results, skipped=runner.skipped)
    return 0
