"""Many processes on one ledger: the total rate, and how fairly they share it.

1, 2, 4 and 8 processes open the same ledger (or append to the same file), begin at once, emit
for a second, and wait until all of theirs is recorded. Fair is slowest / fastest = 1.

    python -m benchmarks processes --json results/processes.json
"""

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.conditions import conditions
from benchmarks.document import write_document
from benchmarks.options import Options, parse, scratch
from benchmarks.runner import TIMEOUT_S, Runner
from benchmarks.table import print_conditions, print_table

Results = dict[str, Any]

PROCESSES = (1, 2, 4, 8)
QUICK_PROCESSES = (2,)
PEERS = ("journaled", "buffered", "committed", "original-wal", "structlog", "signledger-2.0b0")
"""Those that several processes may share, and that say something; see `many_processes`."""


def measure(options: Options, runner: Runner) -> Results:
    """Run all sizes for each peer; of the rounds the one with the median total."""
    sizes = QUICK_PROCESSES if options.quick else PROCESSES
    results: Results = {}
    runner.expect(options.repeat * len(sizes) * len(options.peers))
    for turn in range(options.repeat):
        for count in sizes:
            for name in options.peers:
                runner.step(f"processes, round {turn + 1} of {options.repeat}: {count} x {name}")
                if not runner.is_out(name):
                    one = _together(runner, name, count, 0.2 if options.quick else 1.0)
                    if one is not None:
                        about = one.pop("about")
                        of_peer = results.setdefault(name, {"about": about, "processes": {}})
                        of_peer["processes"].setdefault(str(count), []).append(one)
    for figures in results.values():
        for count, rounds in figures["processes"].items():
            rounds.sort(key=lambda one: one["per_second"])
            figures["processes"][count] = rounds[len(rounds) // 2]
    return results


def _together(runner: Runner, name: str, count: int, seconds: float) -> Results | None:
    with runner.place() as place:
        tasks = [
            {
                "task": "beside",
                "peer": name,
                "directory": str(place / "peer"),
                "ready": str(place / f"ready-{number}"),
                "go": str(place / "go"),
                "seconds": seconds,
            }
            for number in range(count)
        ]
        running = []
        for task in tasks:
            running.append(runner.start(task))
            # One after the other: the first makes the file.
            _wait_for(lambda task=task: (place / str(task["ready"])).exists(), running[-1][0])
        (place / "go").touch()
        found = [runner.finish(task, *one) for task, one in zip(tasks, running, strict=True)]
        if any(one is None for one in found):
            return None
        each = [one for one in found if one is not None]
        counting = {"task": "count", "peer": name, "directory": str(place / "peer")}
        counted = runner.finish(counting, *runner.start(counting))
    if counted is None:
        return None
    rates = sorted(one["per_second"] for one in each)
    emitted = sum(one["emitted"] for one in each)
    return {
        "about": each[0]["about"],
        "per_second": sum(one["emitted"] - 1 for one in each)
        / max(one["elapsed_s"] for one in each),
        "fairness": rates[0] / rates[-1],
        "each_per_second": rates,
        "emitted": emitted,
        "lost": max(0, emitted - counted["recorded"]),
        "rejected": sum(sum(one["rejected"].values()) for one in each),
        "latency_us_max": max(one["latency_us"]["max"] for one in each),
    }


def _wait_for(condition: Any, child: Any) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def show(results: Results) -> None:
    """Print the table."""
    print_table(
        ["processes", "peer", "events/s", "slowest/fastest", "worst us", "lost", "rejected"],
        [
            [
                count,
                name,
                f"{one['per_second']:,.0f}",
                f"{one['fairness']:.2f}",
                f"{one['latency_us_max']:,.0f}",
                f"{one['lost']:,}",
                f"{one['rejected']:,}",
            ]
            for name, figures in results.items()
            for count, one in figures["processes"].items()
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    options = parse(argv, "processes", __doc__, repeat=3, default_peers=PEERS)
    with scratch(options) as directory:
        where = conditions(directory, rounds=options.repeat)
        runner = Runner(directory)
        results = measure(options, runner)
    runner.done()
    if options.json != "-":
        print_conditions(where)
        show(results)
    write_document(options.json, where, results, skipped=runner.skipped, failed=runner.failed)
    return 1 if runner.failed else 0
