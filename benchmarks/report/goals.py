"""What the figures must show, and whether they do; ratios within one run only."""

from typing import Any, NamedTuple

Results = dict[str, Any]

FLOORS = {"plain model", "construction", "no-op emit", "simple queue"}
OURS = {"buffered", "journaled", "writer=process", "committed"}


class Verdict(NamedTuple):
    """One goal, and what was measured."""

    goal: str
    measured: str
    holds: bool | None
    """None where it was not measured, or not so that it says anything."""


LOAD_MAX = 2.5
"""The benchmark itself is a load of one to two; beyond, tails are those of the scheduler."""


def is_busy(conditions: Results) -> bool:
    """Tell whether the machine had other work during the run."""
    loads = (conditions["load"], conditions.get("load_at_the_end", 0))
    return bool(max(loads) > LOAD_MAX)


def verdicts(results: Results, *, busy: bool = False) -> list[Verdict]:
    """Judge all goals.

    Args:
        results: of all benchmarks.
        busy: leave those open that are about tails, the open loop, or times at different moments.
    """
    found = _verdicts(results)
    if not busy:
        return found
    return [
        one._replace(holds=None, measured=f"{one.measured} (on a busy machine)")
        if any(word in one.goal for word in ("p99", "an event at", "entries/s"))
        else one
        for one in found
    ]


def _verdicts(results: Results) -> list[Verdict]:
    found = [
        *_emit(results.get("emit", {})),
        *_throughput(results.get("throughput", {})),
        *_crash(results.get("crash", {})),
        *_sizes(results),
    ]
    return [one for one in found if one is not None]


def _emit(emit: Results) -> list[Verdict | None]:
    return [
        _to_construction(emit, "buffered", 1.15),
        _to_construction(emit, "journaled", 1.8),
        _to_construction(emit, "writer=process", 1.8),
        *(
            _slower(emit, name, loop)
            for name in ("buffered", "journaled", "writer=process")
            for loop in ("closed", "open")
        ),
        *(_tail(emit, name) for name in ("buffered", "journaled", "writer=process")),
    ]


def _to_construction(emit: Results, name: str, most: float) -> Verdict | None:
    """Judge by the best rounds: medians of two peers may be of different minutes of a machine."""
    if name not in emit or emit[name]["closed"].get("best_to_construction") is None:
        return None
    best, medians = (emit[name]["closed"][f"{key}to_construction"] for key in ("best_", ""))
    goal = f"{name}: p50 of emit, closed loop, at most {most} times building the event"
    return Verdict(
        goal, f"{best:.2f} of the best rounds; {medians:.2f} of the medians", best <= most
    )


def _slower(emit: Results, name: str, loop: str) -> Verdict | None:
    """Compare with the peers that are no less safe than this class when emit returns."""
    if name not in emit:
        return None
    safety = {"memory": 0, "page cache": 1, "disk": 2}
    ours = emit[name][loop]
    rivals = {
        peer: figures[loop]
        for peer, figures in emit.items()
        if peer not in FLOORS | OURS
        and peer != "raw apsw"
        and safety[figures["about"]["returns"]] >= safety[emit[name]["about"]["returns"]]
    }
    if not rivals:
        return None
    faster = [
        f"{peer} at {key} ({figures[key]:,.1f} us to {ours[key]:,.1f})"
        for key in ("p50", "p99", "p99.9")
        for peer, figures in rivals.items()
        if figures[key] < ours[key]
    ]
    word = "in memory, in the page cache or on disk" if name == "buffered" else "as safe or safer"
    return Verdict(
        f"{name}, {loop} loop: every peer ({word} when emit returns) is slower at p50, p99, p99.9",
        "all are" if not faster else "faster: " + "; ".join(faster),
        not faster,
    )


def _tail(emit: Results, name: str) -> Verdict | None:
    if name not in emit or "no-op emit" not in emit:
        return None
    ours, floor = emit[name]["open"]["p99.9"], emit["no-op emit"]["open"]["p99.9"]
    return Verdict(
        f"{name}: p99.9 of the open loop (2,000/s) within 2 times a no-op emit",
        f"{ours / floor:.2f} ({ours:,.0f} us to {floor:,.0f})",
        ours <= 2 * floor,
    )


def _throughput(throughput: Results) -> list[Verdict | None]:
    return [
        _rate(throughput, "journaled", "raw apsw", 0.6),
        _rate(throughput, "writer=process", "raw apsw", 0.85),
        _rate(throughput, "journaled", "raw apsw rows", 0.6),
        _rate(throughput, "writer=process", "raw apsw rows", 0.85),
        _rate(throughput, "journaled", "original", 10),
    ]


def _rate(throughput: Results, name: str, base: str, least: float) -> Verdict | None:
    if name not in throughput or base not in throughput:
        return None
    ours, floor = (throughput[one]["per_second"]["median"] for one in (name, base))
    what = {
        "raw apsw": "raw APSW executemany, which builds the events, too",
        "raw apsw rows": "raw APSW executemany of rows built before",
        "original": "the system that we come from",
    }[base]
    return Verdict(
        f"{name}: events/s end to end at least {least} times {what}",
        f"{ours / floor:.2f} ({ours:,.0f} to {floor:,.0f})",
        ours >= least * floor,
    )


def _crash(crash: Results) -> list[Verdict | None]:
    ours = [name for name in ("journaled", "writer=process", "committed") if name in crash]
    if not ours:
        return [None]
    lost = sum(crash[name][loop]["lost"] for name in ours for loop in ("closed", "open"))
    acknowledged = sum(
        crash[name][loop]["acknowledged"] for name in ours for loop in ("closed", "open")
    )
    return [
        Verdict(
            "journaled and committed: no event lost after SIGKILL",
            f"{lost:,} of {acknowledged:,}",
            lost == 0,
        )
    ]


def _sizes(results: Results) -> list[Verdict | None]:
    scale, query, verify = (results.get(name) or {} for name in ("scale", "query", "verify"))
    found: list[Verdict | None] = []
    if scale.get("sizes"):
        size, last = list(scale["sizes"].items())[-1]
        for key, what in (("told_us", "told"), ("appended_us", "appended, of 1,000 users")):
            ratio = last["to_smallest"][key]
            found.append(
                Verdict(
                    f"an event at 10,000,000 entries ({what}) at most 1.2 times one at 10,000",
                    f"{ratio:.2f} at {int(size):,}",
                    ratio <= 1.2 if int(size) >= 10_000_000 else None,
                )
            )
    if scale.get("memory"):
        bounded = all(one["taken"] < 1.5 * one["backlog_max"] for one in scale["memory"])
        each = max(one["grown_bytes"][-1] / max(1, one["taken"]) for one in scale["memory"])
        found.append(
            Verdict(
                "memory bounded by the configured backlog",
                f"refused beyond it; {each:,.0f} bytes an event that waits",
                bounded and all(one["refused"] > 0 for one in scale["memory"]),
            )
        )
    if query:
        size, last = list(query.items())[-1]
        worst = max(last["spans"], key=lambda name: last["spans"][name]["reader_ms"]["median"])
        worst_ms = last["spans"][worst]["reader_ms"]["median"]
        found.append(
            Verdict(
                "first page of 50 by user and time at 10,000,000 entries in under 20 ms",
                f"{worst_ms:,.1f} ms in the worst span ({worst}) at {int(size):,}",
                worst_ms < 20 if int(size) >= 10_000_000 or worst_ms >= 20 else None,
            )
        )
    if verify:
        size, last = list(verify.items())[-1]
        rate = last["per_second"]["median"]
        found.append(
            Verdict("verify at least 300,000 entries/s", f"{rate:,.0f} at {int(size):,}",
                    rate >= 300_000)
        )  # fmt: skip
    return found
