"""What is lost when the process is killed (SIGKILL), for every peer that records.

A child emits, and after each emit that has returned raises a number in shared memory; the
parent kills it. A second child opens what is left, lets it recover, and the events are counted.
Lost is what had returned and is not there. The machine goes on, so the page cache survives:
this tells nothing about power failures.

    python -m benchmarks crash --json results/crash.json
"""

from collections.abc import Sequence
from typing import Any

from benchmarks import peers
from benchmarks.conditions import conditions
from benchmarks.document import write_document
from benchmarks.options import Options, parse, scratch
from benchmarks.runner import Runner
from benchmarks.table import print_conditions, print_table

Results = dict[str, Any]

NOT_KILLED = peers.FLOORS_WITHOUT_RECORD | peers.FLOORS_WITHOUT_BUILDING

AFTER_S = (0.30, 0.47, 0.39, 0.55, 0.34)
"""How long after its first emit a child is killed; another time in each round."""


def measure(options: Options, runner: Runner) -> Results:
    """Kill each peer in each loop, once a round."""
    results: Results = {}
    chosen = [name for name in options.peers if name not in NOT_KILLED]
    runner.expect(options.repeat * len(chosen))
    for turn in range(options.repeat):
        for name in chosen:
            runner.step(f"crash, round {turn + 1} of {options.repeat}: {name}")
            for loop in ("closed", "open"):
                if runner.is_out(name):
                    continue
                killed = _kill(runner, name, loop, AFTER_S[turn % len(AFTER_S)])
                if killed is not None:
                    about, one = killed
                    results.setdefault(name, {"about": about, "closed": [], "open": []})
                    results[name][loop].append(one)
    for figures in results.values():
        for loop in ("closed", "open"):
            acknowledged = sum(one["acknowledged"] for one in figures[loop])
            lost = sum(one["lost"] for one in figures[loop])
            figures[loop] = {
                "acknowledged": acknowledged,
                "lost": lost,
                "share": lost / max(1, acknowledged),
                "rounds": figures[loop],
            }
    return results


def _kill(runner: Runner, name: str, loop: str, seconds: float) -> tuple[Results, Results] | None:
    with runner.place() as place:
        task = {
            "peer": name,
            "directory": str(place / "peer"),
            "counter": str(place / "counter"),
            "paced": loop == "open",
        }
        acknowledged = runner.kill(seconds, **task)
        if acknowledged is None:
            return None
        task["task"] = "count"
        found = runner.finish(task, *runner.start(task))
    if found is None:
        return None
    recorded = found["recorded"]
    # One more may be there: recorded, and killed before it was counted.
    lost = max(0, acknowledged - recorded)
    return found["about"], {"acknowledged": acknowledged, "recorded": recorded, "lost": lost}


def show(results: Results) -> None:
    """Print the table."""
    rows = []
    for name, figures in results.items():
        for loop in ("closed", "open"):
            one = figures[loop]
            rows.append(
                [
                    name,
                    loop,
                    figures["about"]["returns"],
                    f"{one['acknowledged']:,}",
                    f"{one['lost']:,}",
                    f"{100 * one['share']:.2f}%",
                ]
            )
    print_table(["after SIGKILL", "loop", "returns in", "acknowledged", "lost", "share"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    options = parse(argv, "crash", __doc__, repeat=3)
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
