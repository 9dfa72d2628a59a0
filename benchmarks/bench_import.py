"""What importing `AuditSystem` costs beside the libraries that it is built on.

Each run is a fresh interpreter, timed from outside as a host would feel it. The variants
take turns, so that a slow moment of the machine hits all alike; of each the median counts.
`python -X importtime` is no substitute: it adds its own cost to every module.

    python benchmarks/bench_import.py --runs 25 --json results/import.json
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

VARIANTS = {
    "python": "pass",
    "libraries": "from pydantic import BaseModel; import apsw, pykka, orjson",
    "minutebook.domain": "import minutebook.domain",
    "minutebook.actors": "import minutebook.actors",
    "AuditSystem": "from minutebook.actors import AuditSystem",
}
"""What is timed: name to program. `libraries` is the yardstick, `python` the empty start."""

RATIO_MAX = 1.7
"""The budget: `AuditSystem` to `libraries`, each with the interpreter's own start."""

DISTRIBUTIONS = ["apsw", "orjson", "pydantic", "pykka"]


def time_once(program: str, cwd: str) -> float:
    """Run one program in a fresh interpreter; the wall time in milliseconds."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=cwd, check=True)
    return (time.perf_counter() - start) * 1000


def measure(runs: int) -> dict[str, list[float]]:
    """Time each variant `runs` times, interleaved; one more round before warms the caches."""
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as nowhere:
        for turn in range(runs + 1):
            for name, program in VARIANTS.items():
                elapsed_ms = time_once(program, nowhere)
                if turn > 0:
                    times[name].append(elapsed_ms)
    return times


def conditions(runs: int) -> dict[str, object]:
    """What the figures depend on."""
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in DISTRIBUTIONS},
        "runs": runs,
    }


def summarize(times: dict[str, list[float]], runs: int) -> dict[str, object]:
    """The median, fastest and slowest run of each variant, and the two ratios of medians."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    empty, libraries, actors = (medians[name] for name in ("python", "libraries", "AuditSystem"))
    return {
        "benchmark": "import",
        "conditions": conditions(runs),
        "ms": {
            name: {"p50": medians[name], "min": min(values), "max": max(values)}
            for name, values in times.items()
        },
        "ratio": actors / libraries,
        "ratio_max": RATIO_MAX,
        "ratio_without_interpreter": (actors - empty) / (libraries - empty),
    }


def print_table(times: dict[str, list[float]], result: dict[str, object]) -> None:
    """Conditions first, then one line a variant, then the verdict."""
    print(f"import cost, ms of wall time; {json.dumps(result['conditions'])}")
    print(f"{'variant':<20} {'p50':>8} {'min':>8} {'max':>8}")
    for name, values in times.items():
        p50 = statistics.median(values)
        print(f"{name:<20} {p50:>8.1f} {min(values):>8.1f} {max(values):>8.1f}")
    print(
        f"AuditSystem / libraries: {result['ratio']:.2f} (budget {RATIO_MAX}); "
        f"without the interpreter's start: {result['ratio_without_interpreter']:.2f}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON where asked."""
    parser = argparse.ArgumentParser(description="Time the import of AuditSystem.")
    parser.add_argument("--runs", type=int, default=21, help="runs of each variant (15 or more)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(argv)
    if options.runs < 15:
        parser.error("--runs: fewer than 15 say nothing; give 15 or more")

    times = measure(options.runs)
    result = summarize(times, options.runs)
    print_table(times, result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
