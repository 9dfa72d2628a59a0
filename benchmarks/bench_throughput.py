"""How many events a second end to end, for every peer: built, recorded, and waited for.

Each peer emits for about a second as fast as it takes events, and then until the last of them
is recorded; what it dropped on the way does not count. Beside the rate: the processor's time for
an event, and by how much the process grew while events waited.

    python -m benchmarks throughput --json results/throughput.json
"""

from collections.abc import Sequence
from typing import Any

from benchmarks import histogram, peers
from benchmarks.conditions import conditions
from benchmarks.document import write_document
from benchmarks.options import Options, parse, scratch
from benchmarks.runner import Runner
from benchmarks.table import print_conditions, print_table

Results = dict[str, Any]


def measure(options: Options, runner: Runner) -> Results:
    """Run all rounds; the figures of each peer."""
    raw: dict[str, list[Results]] = {}
    chosen = [name for name in options.peers if name not in peers.FLOORS_WITHOUT_RECORD]
    runner.expect(options.repeat * len(chosen))
    for turn in range(options.repeat):
        for name in chosen if turn % 2 == 0 else reversed(chosen):
            runner.step(f"throughput, round {turn + 1} of {options.repeat}: {name}")
            result = runner.run(task="throughput", peer=name, seconds=0.2 if options.quick else 0.8)
            if result is not None:
                raw.setdefault(name, []).append(result)
    results = {name: _of_peer(raw[name]) for name in chosen if name in raw}
    base = results.get("raw apsw")
    for figures in results.values():
        figures["to_raw_apsw"] = (
            None if base is None else figures["per_second"]["median"] / base["per_second"]["median"]
        )
    return results


def _of_peer(rounds: Sequence[Results]) -> Results:
    emitted = sum(one["emitted"] for one in rounds)
    recorded = sum(one["recorded"] for one in rounds)
    return {
        "about": rounds[0]["about"],
        **{
            key: histogram.summary([one[key] for one in rounds])
            for key in ("per_second", "emit_per_second", "cpu_us_an_event", "rss_growth_bytes")
        },
        "emitted": emitted,
        "recorded": recorded,
        "rejected": sum(sum(one["rejected"].values()) for one in rounds),
    }


def show(results: Results) -> None:
    """Print the table."""
    print_table(
        [
            "events a second", "returns in", "median", "min", "max", "emitted/s", "recorded",
            "rejected", "cpu us", "grew MiB", "to raw APSW",
        ],
        [
            [
                name,
                one["about"]["returns"],
                *(f"{one['per_second'][key]:,.0f}" for key in ("median", "min", "max")),
                f"{one['emit_per_second']['median']:,.0f}",
                f"{100 * one['recorded'] / max(1, one['emitted']):.1f}%",
                f"{one['rejected']:,}",
                f"{one['cpu_us_an_event']['median']:.1f}",
                f"{one['rss_growth_bytes']['median'] / 2**20:.1f}",
                "" if one["to_raw_apsw"] is None else f"{one['to_raw_apsw']:.2f}",
            ]
            for name, one in results.items()
        ],
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    options = parse(argv, "throughput", __doc__)
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
