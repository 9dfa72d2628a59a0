"""Whether commits keep up while the host's own threads are busy.

Four threads compute without a pause, a fifth tells 5,000 events a second. With the writer in a
thread, every row that it inserts waits for its turn at the interpreter's lock; a writer in a
process of its own does not take part in that. What counts is the backlog: one that grows is a
ledger that does not keep up.

    python -m benchmarks busy --json results/busy.json
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from benchmarks.document import write_document
from benchmarks.workload import bound, build
from minutebook.actors import AuditSystem

PER_SECOND = 5000
BUSY_THREADS = 4


def spin(done: threading.Event) -> None:
    """Compute in Python, and never give the lock away by itself."""
    value = 0
    while not done.is_set():
        for number in range(10_000):
            value += number * number


def measure(writer: Literal["thread", "process"], seconds: float) -> dict[str, Any]:
    """Tell at the pace for so long; the backlog over time, and how long the rest took."""
    done = threading.Event()
    spinning = [threading.Thread(target=spin, args=(done,)) for _ in range(BUSY_THREADS)]
    backlogs: list[int] = []
    with (
        tempfile.TemporaryDirectory() as directory,
        AuditSystem.open(
            Path(directory) / "audit.db", writer=writer, backlog_max=10_000_000
        ) as system,
        bound(),
    ):
        for thread in spinning:
            thread.start()
        begun = time.perf_counter()
        told, looked_at = 0, begun + 0.5
        while (now := time.perf_counter()) < begun + seconds:
            due = int((now - begun) * PER_SECOND)
            for _ in range(due - told):
                system.audit.tell(build())
            told = due
            if now >= looked_at:
                backlogs.append(system.health().backlog)
                looked_at = now + 0.5
            time.sleep(0.001)
        lasted = time.perf_counter() - begun
        backlog = system.health().backlog
        done.set()
        for thread in spinning:
            thread.join()
        rest_begun = time.perf_counter()
        system.flush()
        rest_s = time.perf_counter() - rest_begun
    return {
        "told_per_second": round(told / lasted),
        "committed_per_second": round((told - backlog) / lasted),
        "backlog_median": int(statistics.median(backlogs or [0])),
        "backlog_at_the_end": backlog,
        "rest_s": round(rest_s, 3),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description="Commit beside busy threads.")
    parser.add_argument("--quick", action="store_true", help="a second, to see that it runs")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args(argv)
    seconds = 1.0 if arguments.quick else arguments.seconds
    results = {writer: measure(writer, seconds) for writer in ("thread", "process")}
    conditions = {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "busy_threads": BUSY_THREADS,
        "asked_per_second": PER_SECOND,
        "seconds": seconds,
    }
    print(json.dumps(conditions))
    for writer, figures in results.items():
        print(f"{writer:<8}" + "  ".join(f"{name} {value:,}" for name, value in figures.items()))
    write_document(arguments.json, conditions, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
