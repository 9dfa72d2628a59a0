"""The first page of 50 entries by user and time, in ledgers of 10^4 to 10^7 entries.

1,000 users; for each query another user and another span. Beside `LedgerReader` the same
question in SQL written by hand, on the same file and its indexes.

    python -m benchmarks query --json results/query.json
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import apsw

from benchmarks.bench_scale import SIZE_OPTIONS, ledgers_of, sizes
from benchmarks.conditions import conditions
from benchmarks.document import write_document
from benchmarks.options import Options, parse, scratch
from benchmarks.runner import Runner
from benchmarks.sized import INTERVAL_US, USERS, Ledgers, SizedLedger, moment_of, user
from benchmarks.table import print_conditions, print_table
from minutebook.actors import LedgerReader
from minutebook.domain.entry import to_microseconds
from minutebook.domain.query import EntryFilter

Results = dict[str, Any]

PAGE = 50
SHARES = {"the newest 1 %": (0.99, 1.0), "the newest 10 %": (0.9, 1.0), "all": (0.0, 1.0),
          "the oldest 10 %": (0.0, 0.1), "the middle 10 %": (0.45, 0.55)}  # fmt: skip
"""Which part of the ledger a query is about."""

BY_HAND = (
    "SELECT * FROM entries WHERE user_identity = ? AND +occurred_at >= ? AND +occurred_at < ?"
    " ORDER BY log_index DESC LIMIT 50"
)


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
    rng, found = random.Random(11), {}
    begun = time.perf_counter()
    with LedgerReader(ledger.path) as reader:
        open_ms = (time.perf_counter() - begun) * 1000
        connection = apsw.Connection(f"file:{ledger.path}?mode=ro", flags=apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY)  # noqa: E501
        for name, (low, high) in SHARES.items():
            since = moment_of(int(ledger.size * low))
            until = moment_of(int(ledger.size * high)) - timedelta(microseconds=INTERVAL_US / 2)
            users = [user(rng.randrange(USERS)) for _ in range(asked)]
            filters = [EntryFilter(user=one, since=since, until=until) for one in users]
            pages: list[int] = []

            def read(number: int, filters: Any = filters, pages: Any = pages) -> None:
                pages.append(len(list(reader.entries(filters[number], limit=PAGE))))

            def by_hand(number: int, users: Any = users, since: Any = since, until: Any = until) -> None:  # noqa: E501
                span = (to_microseconds(since), to_microseconds(until))
                connection.execute(BY_HAND, (users[number], *span)).fetchall()

            found[name] = {"reader_ms": _time(read, asked), "by_hand_ms": _time(by_hand, asked)}
            found[name]["rows"] = statistics.median(pages)
        connection.close()
    return {"open_ms": open_ms, "spans": found}


def _time(ask: Callable[[int], None], asked: int) -> Results:
    taken = []
    for number in range(asked):
        begun = time.perf_counter()
        ask(number)
        taken.append((time.perf_counter() - begun) * 1000)
    return {"first": taken[0], "median": statistics.median(taken), "max": max(taken)}


def show(results: Results) -> None:
    """Print the table."""
    print_table(
        ["entries", "span", "rows", "median ms", "first ms", "max ms", "by hand, median ms"],
        [
            [
                f"{int(size):,}",
                name,
                f"{one['rows']:.0f}",
                *(f"{one['reader_ms'][key]:.2f}" for key in ("median", "first", "max")),
                f"{one['by_hand_ms']['median']:.2f}",
            ]
            for size, figures in results.items()
            for name, one in figures["spans"].items()
        ],
    )


def main(argv: Sequence[str]) -> int:
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
