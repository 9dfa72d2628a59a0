"""What recording an event costs its caller, for every peer: closed and open loop.

One audited event of about 550 bytes, with a list and nested fields, is built and recorded, in
the closed loop (as fast as it goes) and in the open loop (2,000 a second, timed from the
intended start, so that a stall counts for all that it delays). Each peer runs in a process of
its own, the peers take turns, and of each figure the median over the rounds counts. Ratios
within one run are what to look at: absolute times are this machine's, in this minute.

    python -m benchmarks emit --json results/emit.json
    python -m benchmarks emit --peers construction,journaled,structlog
"""

from collections.abc import Sequence
from typing import Any

from benchmarks import histogram, peers
from benchmarks.conditions import conditions
from benchmarks.document import write_document
from benchmarks.loops import PER_SECOND
from benchmarks.options import Options, parse, scratch
from benchmarks.runner import Runner
from benchmarks.table import print_conditions, print_table

Results = dict[str, Any]

SECONDS = {"warm_up_s": 0.3, "closed_s": 0.7, "paced_s": 3.0}
"""At most so long for each part of a round."""
QUICK_SECONDS = {"warm_up_s": 0.05, "closed_s": 0.15, "paced_s": 0.3}
CALLS = 10_000
QUICK_CALLS = 2000


def measure(options: Options, runner: Runner) -> Results:
    """Run all rounds; the figures of each peer, in microseconds."""
    raw: dict[str, list[Results]] = {}
    seconds = QUICK_SECONDS if options.quick else SECONDS
    chosen = [name for name in options.peers if name not in peers.FLOORS_WITHOUT_BUILDING]
    runner.expect(options.repeat * len(chosen))
    for turn in range(options.repeat):
        # Forth and back, so that a drift of the machine hits all alike.
        for name in chosen if turn % 2 == 0 else reversed(chosen):
            runner.step(f"emit, round {turn + 1} of {options.repeat}: {name}")
            result = runner.run(
                task="latency",
                peer=name,
                loops=["closed", "open"],
                calls=QUICK_CALLS if options.quick else CALLS,
                timeline=turn == options.repeat - 1,
                **seconds,
            )
            if result is not None:
                raw.setdefault(name, []).append(result)
    results = {name: _of_peer(raw[name]) for name in chosen if name in raw}
    for figures in results.values():
        for loop in ("closed", "open"):
            base = results.get("construction", {}).get(loop)
            one = figures[loop]
            one["to_construction"] = None if base is None else one["p50"] / base["p50"]
            # Other work on the machine only adds to a round; see `timeit` on taking the minimum.
            one["best_to_construction"] = (
                None if base is None else one["spread"]["p50"][0] / base["spread"]["p50"][0]
            )
    return results


def _of_peer(rounds: Sequence[Results]) -> Results:
    figures: Results = {"about": rounds[0]["about"]}
    for loop in ("closed", "open"):
        each = [one[loop] for one in rounds]
        encoded = [one["histogram"] for one in each]
        figures[loop] = {
            **histogram.over_repeats(
                [histogram.read(histogram.merged([text])) for text in encoded]
            ),
            "calls": [one["calls"] for one in each],
            "per_second": histogram.summary([one["per_second"] for one in each]),
            "rejected": sum(sum(one["rejected"].values()) for one in each),
            "spectrum": histogram.spectrum(histogram.merged(encoded)),
            "histograms": encoded,
        }
        if "timeline" in each[-1]:
            figures[loop]["timeline"] = each[-1]["timeline"]
    if "emitted" in rounds[0]:
        for key in ("emitted", "recorded", "dropped"):
            figures[key] = sum(one[key] for one in rounds)
    return figures


def show(results: Results) -> None:
    """Print the table."""
    rows = []
    for name, figures in results.items():
        for loop in ("closed", "open"):
            one = figures[loop]
            ratios = (one["to_construction"], one["best_to_construction"])
            rows.append(
                [
                    name,
                    loop,
                    *(f"{one[key]:.2f}" if key == "p50" else f"{one[key]:,.1f}" for key in KEYS),
                    f"{sum(one['calls']):,}",
                    f"{figures.get('dropped', 0):,}",
                    f"{one['rejected']:,}",
                    *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
                ]
            )
    head = ["us a call", "loop", *KEYS, "calls", "dropped", "rejected"]
    head += ["to construction", "best rounds"]
    print_table(head, rows)


KEYS = histogram.KEYS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    options = parse(argv, "emit", __doc__)
    with scratch(options) as directory:
        where = conditions(directory, paced_per_second=PER_SECOND, rounds=options.repeat)
        runner = Runner(directory)
        results = measure(options, runner)
    runner.done()
    if options.json != "-":
        print_conditions(where)
        show(results)
    write_document(options.json, where, results, skipped=runner.skipped, failed=runner.failed)
    return 1 if runner.failed else 0
