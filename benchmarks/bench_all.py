"""All benchmarks in one run, and the report.

Writes DIRECTORY/results.json (figures and raw histograms) and DIRECTORY/report.html. The results
of record are made with ``make bench-record``: they lie in benchmarks/results, and the README's
table is made from them.

    python -m benchmarks --quick --peers construction,journaled,structlog
    python -m benchmarks --output benchmarks/results
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    bench_crash,
    bench_emit,
    bench_processes,
    bench_query,
    bench_scale,
    bench_throughput,
    bench_verify,
)
from benchmarks.conditions import conditions
from benchmarks.document import dumps, write_document
from benchmarks.loops import PER_SECOND
from benchmarks.options import Options, parse, scratch
from benchmarks.report.html import write_report
from benchmarks.runner import Runner
from benchmarks.table import print_conditions

OUTPUT = ("--output", {"type": Path, "help": "directory of the results (default: bench-results)"})
FEWER = 3
"""Most rounds of what takes long and varies little."""
KILLS = 2
"""Most rounds of kills in each loop."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run everything."""
    options = parse(argv, "all", __doc__, add=(*bench_scale.SIZE_OPTIONS, OUTPUT))
    output: Path = options.arguments.output or Path("bench-results")
    fewer = dataclasses.replace(options, repeat=min(FEWER, options.repeat))
    with scratch(options) as directory:
        where = conditions(
            directory, rounds=options.repeat, quick=options.quick, paced_per_second=PER_SECOND
        )
        print_conditions(where)
        runner = Runner(directory)
        results = _measure(options, fewer, runner, directory)
        where["load_at_the_end"] = conditions(directory)["load"]
    runner.done()
    left_out: dict[str, Any] = {"skipped": runner.skipped, "failed": runner.failed}
    output.mkdir(parents=True, exist_ok=True)
    document = {"conditions": where, "results": results, **left_out}
    (output / "results.json").write_text(dumps(document), encoding="utf-8")
    write_report(document, output / "report.html")
    if options.json != "-":
        _show(results)
        print(f"written: {output / 'results.json'}, {output / 'report.html'}")
    write_document(options.json, where, results, **left_out)
    return 1 if runner.failed else 0


def _measure(options: Options, fewer: Options, runner: Runner, directory: Path) -> dict[str, Any]:
    ledgers = bench_scale.ledgers_of(options, directory)
    shared = [name for name in bench_processes.PEERS if name in options.peers]
    together = dataclasses.replace(fewer, repeat=1, peers=tuple(shared))
    return {
        "emit": bench_emit.measure(options, runner),
        "throughput": bench_throughput.measure(options, runner),
        "crash": bench_crash.measure(
            dataclasses.replace(options, repeat=min(KILLS, options.repeat)), runner
        ),
        "processes": bench_processes.measure(together, runner),
        "scale": bench_scale.measure(fewer, runner, ledgers),
        "query": bench_query.measure(fewer, runner, ledgers),
        "verify": bench_verify.measure(fewer, runner, ledgers),
    }


def _show(results: dict[str, Any]) -> None:
    for name, module in (
        ("emit", bench_emit),
        ("throughput", bench_throughput),
        ("crash", bench_crash),
        ("processes", bench_processes),
        ("scale", bench_scale),
        ("query", bench_query),
        ("verify", bench_verify),
    ):
        if results[name]:
            print(f"\n{name}")
            module.show(results[name])
