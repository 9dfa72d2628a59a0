"""The table in the README, between its markers, from the results of record."""

from pathlib import Path
from typing import Any

from benchmarks.report.goals import is_busy

BEGIN = "<!-- benchmarks: the table of benchmarks/results/results.json -->"
END = "<!-- benchmarks: end -->"

HEAD = (
    (
        "| the same event, built and recorded | returns in | p50 | p99 | p99.9 | p50 to building*"
        " | paced p99.9 | events/s end to end | lost on SIGKILL |"
    ),
    "|---|---|---|---|---|---|---|---|---|",
)


def table(document: dict[str, Any]) -> str:
    """Return the table in Markdown."""
    emit, throughput, crash = (
        document["results"][name] for name in ("emit", "throughput", "crash")
    )
    lines = list(HEAD)
    for name, figures in emit.items():
        about, closed, paced = figures["about"], figures["closed"], figures["open"]
        title = about["title"]
        if about["kind"] == "minutebook":
            title = f"**{title}**"
        ratio = closed["best_to_construction"]
        rate = throughput.get(name)
        kill = crash.get(name)
        cells = [
            title,
            about["returns"],
            *(_time(closed[key]) for key in ("p50", "p99", "p99.9")),
            "-" if ratio is None else f"{ratio:.2f}",
            _time(paced["p99.9"]),
            "-" if rate is None else _rate(rate),
            "-" if kill is None else f"{100 * kill['closed']['share']:.1f}%",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    note = "\\* of the best rounds of both: other work on the machine only ever adds."
    return "\n".join([*lines, "", note, measured(document["conditions"])])


def measured(conditions: dict[str, Any]) -> str:
    """Say when and on what, and warn of a machine that was not idle."""
    begun, ended = conditions["load"], conditions.get("load_at_the_end", conditions["load"])
    text = (
        f"Measured on {str(conditions['at'])[:10]} at commit {conditions['commit']}:"
        f" {conditions['cores']} cores, {conditions['python']}, load {begun:.1f} before and"
        f" {ended:.1f} at the end."
    )
    if is_busy(conditions):
        text += (
            " The machine was busy with other work: medians of the closed loop and shares stand,"
            " tails and the open loop say little (see what the floors themselves have)."
        )
    return text


def update(document: dict[str, Any], readme: Path) -> None:
    """Put the table between the markers.

    Raises:
        ValueError: the markers are not there.
    """
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"{readme} has no place for the table: write {BEGIN} and {END} into it."
        raise ValueError(msg)
    readme.write_text(f"{before}{BEGIN}\n{table(document)}\n{END}{after}", encoding="utf-8")


def _time(microseconds: float) -> str:
    if microseconds >= 1e6:
        return f"{microseconds / 1e6:.1f} s"
    if microseconds >= 1000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds:.1f} us" if microseconds < 100 else f"{microseconds:.0f} us"


def _rate(figures: dict[str, Any]) -> str:
    text = f"{figures['per_second']['median']:,.0f}"
    if figures["recorded"] < figures["emitted"]:
        text += f" ({100 * figures['recorded'] / figures['emitted']:.0f}% kept)"
    return text
