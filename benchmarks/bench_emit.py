"""What telling an event costs its caller, in each delivery class.

One audited event of about 550 stored bytes, with a list and nested fields, is built and
told, in the closed loop (as fast as it goes) and paced (2,000 a second, timed from the
intended start, so that a stall counts for all that it delays). The variants take turns;
of each figure the median over the rounds counts. Ratios within one run are what to look
at: absolute times are this machine's, in this minute.

    python -m benchmarks emit --json results/emit.json
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from benchmarks.document import write_document
from minutebook.actors import AuditSystem
from minutebook.domain import AuditEvent, bind
from minutebook.domain.envelope import new_id

PER_SECOND = 2000


class Line(BaseModel):
    """A nested part."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    sku: str
    quantity: int


class OrderShipped(AuditEvent, type="benchmark.order_shipped"):
    """The event that is told."""

    order_id: str
    carrier: str
    tags: list[str]
    lines: list[Line]
    note: str | None = None
    weight: float = 0.0


class Plain(BaseModel):
    """The same fields without what makes an event of them: the floor for building one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    id: str = Field(default_factory=new_id)
    source: str | None = None
    occurred_at: AwareDatetime = Field(default_factory=partial(datetime.now, UTC))
    user_identity: str | None = None
    on_behalf_of: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    plan_id: str | None = None
    project_names: tuple[str, ...] = ()
    outcome: Literal["success", "failure", "denied", "unknown"] = "success"
    outcome_reason: str | None = None
    severity: Literal["debug", "info", "warning", "error", "critical"] = "info"
    order_id: str
    carrier: str
    tags: list[str]
    lines: list[Line]
    note: str | None = None
    weight: float = 0.0


LINES = [Line(sku="A-1", quantity=2), Line(sku="B-2", quantity=1)]


def build() -> OrderShipped:
    """Build the event."""
    return OrderShipped(
        order_id="A-17", carrier="dhl", tags=["fragile", "express"], lines=LINES, weight=2.5
    )


def build_plain() -> Plain:
    """Build the plain model."""
    return Plain(
        order_id="A-17", carrier="dhl", tags=["fragile", "express"], lines=LINES, weight=2.5
    )


def closed_loop(call: Callable[[], object], count: int) -> list[float]:
    """Microseconds of each call, one after the other."""
    clock = time.perf_counter_ns
    taken = []
    for _ in range(count):
        start = clock()
        call()
        taken.append((clock() - start) / 1000)
    return taken


def paced(call: Callable[[], object], count: int) -> list[float]:
    """Microseconds from each call's intended start to its end."""
    clock = time.perf_counter_ns
    interval_ns = 1_000_000_000 // PER_SECOND
    due = clock() + interval_ns
    taken = []
    for _ in range(count):
        left_ns = due - clock()
        if left_ns > 200_000:
            time.sleep((left_ns - 150_000) / 1e9)
        while clock() < due:
            pass
        call()
        taken.append((clock() - due) / 1000)
        due += interval_ns
    return taken


def percentiles(taken: list[float]) -> dict[str, float]:
    """p50, p99, p99.9 and max."""
    ordered = sorted(taken)
    last = len(ordered) - 1
    return {
        "p50": ordered[last // 2],
        "p99": ordered[int(last * 0.99)],
        "p99.9": ordered[int(last * 0.999)],
        "max": ordered[-1],
    }


def measure(rounds: int, count: int) -> dict[str, dict[str, dict[str, float]]]:
    """Run all variants, interleaved; the median of each percentile."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    with (
        tempfile.TemporaryDirectory() as directory,
        AuditSystem.open(Path(directory) / "audit.db", backlog_max=10_000_000) as system,
        AuditSystem.open(
            Path(directory) / "other.db", backlog_max=10_000_000, writer="process"
        ) as with_process,
        bind(identity="alice@example.com", session_id="s-1", correlation_id="req-1"),
    ):
        tell, tell_to_process = system.audit.tell, with_process.audit.tell
        # Each is a function of its own around the building, so that a call more or less does
        # not count as telling.
        variants: dict[str, Callable[[], object]] = {
            "plain model": lambda: build_plain(),  # noqa: PLW0108
            "construction": lambda: build(),  # noqa: PLW0108
            "no-op emit": lambda: ignore(build()),
            "buffered": lambda: tell(build(), "buffered"),
            "journaled": lambda: tell(build()),
            "writer=process": lambda: tell_to_process(build()),
        }
        for turn in range(rounds + 1):
            for name, call in variants.items():
                for loop, run, calls in (
                    ("closed", closed_loop, count),
                    ("paced", paced, count // 5),
                ):
                    result = percentiles(run(call, calls))
                    system.flush()
                    with_process.flush()
                    if turn > 0:
                        found.setdefault(name, {}).setdefault(loop, []).append(result)
            committed = percentiles(
                closed_loop(lambda: system.audit.ask(build()).get(), max(50, count // 200))
            )
            if turn > 0:
                found.setdefault("committed", {}).setdefault("closed", []).append(committed)
    return {
        name: {
            loop: {key: statistics.median(one[key] for one in results) for key in results[0]}
            for loop, results in loops.items()
        }
        for name, loops in found.items()
    }


def ignore(event: AuditEvent) -> None:
    """Take an event, and do nothing with it."""


def main() -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description="Time telling an event.")
    parser.add_argument("--quick", action="store_true", help="few calls, to see that it runs")
    parser.add_argument("--repeat", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    rounds, count = (1, 1000) if arguments.quick else (arguments.repeat, 20_000)
    results = measure(rounds, count)
    conditions = {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "rounds": rounds,
        "calls": count,
        "paced_per_second": PER_SECOND,
    }
    print(json.dumps(conditions))
    print(
        f"{'us a call':<14}{'loop':<8}{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>10}  to construction"
    )
    for name, loops in results.items():
        for loop, figures in loops.items():
            base = results["construction"].get(loop, results["construction"]["closed"])
            ratio = figures["p50"] / base["p50"]
            print(
                f"{name:<14}{loop:<8}{figures['p50']:>9.2f}{figures['p99']:>9.1f}"
                f"{figures['p99.9']:>9.1f}{figures['max']:>10.0f}  {ratio:.2f}"
            )
    write_document(arguments.json, conditions, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
