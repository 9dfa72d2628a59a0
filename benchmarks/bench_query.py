"""The first page of 50 entries by user and time, in ledgers of 10^4 to 10^7 entries.

1,000 users; for each query another user and another span.

    python -m benchmarks query --json results/query.json
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks.bench_scale import SIZE_OPTIONS, ledgers_of, sizes
from benchmarks.conditions import conditions
from benchmarks.document import write_document
from benchmarks.options import Options, parse, scratch
from benchmarks.runner import Runner
from benchmarks.sized import INTERVAL_US, USERS, Ledgers, SizedLedger, moment_of, user
from benchmarks.table import print_conditions, print_table
from minutebook.actors import LedgerReader
from minutebook.domain.query import EntryFilter

Results = dict[str, Any]

PAGE = 50
MS_MAX = 5000
"""No more is asked of a span that has taken so long."""
SHARES = {"the newest 1 %": (0.99, 1.0), "the newest 10 %": (0.9, 1.0), "all": (0.0, 1.0),
          "the oldest 10 %": (0.0, 0.1), "the middle 10 %": (0.45, 0.55)}  # fmt: skip
"""Which part of the ledger a query is about."""


def measure(options: Options, runner: Runner, ledgers: Ledgers) -> Results:
    """Ask each ledger; milliseconds."""
    results: Results = {}
    runner.expect(2 * len(sizes(options)))
    for size in sizes(options):
        runner.step(f"query: filling {size:,}")
        ledger = ledgers.get(size)
        runner.step(f"query: {size:,}")
        results[str(size)] = _of_ledger(ledger, 5 if options.quick else 10 * options.repeat)
    return results


def _of_ledger(ledger: SizedLedger, asked: int) -> Results:
    rng = random.Random(11)
    found: Results = {}
    begun = time.perf_counter()
    with LedgerReader(ledger.path) as reader:
        open_ms = (time.perf_counter() - begun) * 1000
        for name, (low, high) in SHARES.items():
            since = moment_of(int(ledger.size * low))
            until = moment_of(int(ledger.size * high)) - timedelta(microseconds=INTERVAL_US / 2)
            filters = [
                EntryFilter(user=user(rng.randrange(USERS)), since=since, until=until)
                for _ in range(asked)
            ]
            found[name] = {"reader_ms": _time(partial(_read, reader), filters)}
    return {"open_ms": open_ms, "spans": found}


def _read(reader: LedgerReader, wanted: EntryFilter) -> int:
    return len(list(reader.entries(wanted, limit=PAGE)))


def _time(ask: Callable[[EntryFilter], int], filters: Sequence[EntryFilter]) -> Results:
    taken: list[float] = []
    rows = []
    for wanted in filters:
        begun = time.perf_counter()
        rows.append(ask(wanted))
        taken.append((time.perf_counter() - begun) * 1000)
        if sum(taken) > MS_MAX:
            break
    return {
        "first": taken[0],
        "median": statistics.median(taken),
        "max": max(taken),
        "asked": len(taken),
        "rows": statistics.median(rows),
    }


def show(results: Results) -> None:
    """Print the table."""
    print_table(
        ["entries", "span", "rows", "median ms", "first ms", "max ms"],
        [
            [
                f"{int(size):,}",
                name,
                f"{one['reader_ms']['rows']:.0f}",
                *(f"{one['reader_ms'][key]:.2f}" for key in ("median", "first", "max")),
            ]
            for size, figures in results.items()
            for name, one in figures["spans"].items()
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    options = parse(argv, "query", __doc__, add=SIZE_OPTIONS)
    with scratch(options) as directory:
        where = conditions(directory)
        runner = Runner(directory)
        results = measure(options, runner, ledgers_of(options, directory))
    runner.done()
    if options.json != "-":
        print_conditions(where)
        show(results)
    write_document(options.json, where, results)
    return 0
