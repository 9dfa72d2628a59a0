"""Pictures for the README: the two charts that say most, each readable on light and dark."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

INK, SOFT, OURS, RED = "#1d2129", "#667085", "#0b6bcb", "#c4320a"
COLORS = {
    "minutebook": OURS,
    "origin": "#b42318",
    "logging": "#12805c",
    "bus": "#9333ea",
    "database": "#b7791f",
    "ledger": "#c026d3",
    "actor": "#6d5bd0",
    "floor": "#8a919e",
}

IN_SPECTRUM = (
    "construction",
    "buffered",
    "journaled",
    "committed",
    "original-wal",
    "original-fixed",
    "structlog",
    "picologging",
    "queue-handler",
    "loguru",
    "opentelemetry",
    "signledger",
    "pykka-batching",
)
"""All would be too many lines for a picture."""


def write_pictures(document: dict[str, Any], directory: Path) -> None:
    """Write latency.png and spectrum.png."""
    mpl.use("Agg")
    plt.rcParams.update(
        {
            "font.size": 10,
            "font.family": "DejaVu Sans",
            "axes.edgecolor": "#d0d5dd",
            "axes.labelcolor": SOFT,
            "xtick.color": SOFT,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.facecolor": "white",
        }
    )
    results = document["results"]
    _latency(results, directory / "latency.png")
    _spectrum(results["emit"], directory / "spectrum.png")


def _latency(results: dict[str, Any], path: Path) -> None:
    emit, throughput, crash = (results[name] for name in ("emit", "throughput", "crash"))
    names = [name for name in emit if name in throughput and name in crash]
    names.sort(key=lambda name: emit[name]["open"]["p99.9"], reverse=True)
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(12, 0.32 * len(names) + 1.4), sharey=True, width_ratios=[5, 3, 2]
    )
    for row, name in enumerate(names):
        color, one = COLORS[emit[name]["about"]["kind"]], emit[name]["open"]
        left.plot([one["p50"], one["max"]], [row, row], color=color, alpha=0.4, linewidth=2)
        left.scatter([one["p50"]], [row], color=color, s=42, zorder=3)
        for key, size in (("p99", 26), ("p99.9", 16), ("max", 6)):
            left.scatter([one[key]], [row], s=size, zorder=3, facecolor="white", edgecolor=color)
        rate = throughput[name]
        middle.barh(row, rate["per_second"]["median"], color=color, height=0.62)
        share = crash[name]["closed"]["share"]
        right.barh(row, 100 * share, color=RED, height=0.62)
        if share == 0:
            right.text(2, row, "none", va="center", fontsize=8, color="#12805c")
    left.set_xscale("log")
    left.set_yticks(range(len(names)), [emit[name]["about"]["title"] for name in names])
    for label, name in zip(left.get_yticklabels(), names, strict=True):
        if emit[name]["about"]["kind"] == "minutebook":
            label.set_color(OURS)
            label.set_fontweight("bold")
    if "construction" in emit:
        left.axvline(emit["construction"]["open"]["p50"], color=SOFT, linestyle=":", linewidth=1)
    left.set_title("emit, 2,000/s: p50 (full), p99, p99.9, max; us", fontsize=10, color=INK)
    middle.set_title("events/s, end to end", fontsize=10, color=INK)
    right.set_title("lost on SIGKILL, %", fontsize=10, color=INK)
    middle.ticklabel_format(axis="x", style="plain")
    middle.locator_params(axis="x", nbins=5)
    right.set_xlim(0, 100)
    for axes in (left, middle, right):
        axes.grid(axis="x", color="#eaecf0")
        axes.set_axisbelow(True)
        axes.tick_params(axis="both", length=0)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _spectrum(emit: dict[str, Any], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(11, 5.2))
    for name in IN_SPECTRUM:
        if name not in emit:
            continue
        points = emit[name]["open"]["spectrum"]
        about = emit[name]["about"]
        ours = about["kind"] == "minutebook"
        axes.plot(
            [point[0] for point in points],
            [point[1] for point in points],
            color=COLORS[about["kind"]],
            linewidth=2.4 if ours else 1.2,
            linestyle="-" if name != "committed" else "--",
        )
        axes.annotate(f" {name}", points[-1], fontsize=8, color=COLORS[about["kind"]], va="center")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 10, 100, 1000, 10_000], ["0", "90%", "99%", "99.9%", "99.99%"])
    axes.minorticks_off()
    axes.set_ylabel("us from the intended start")
    axes.set_title("emit, open loop, 2,000/s: the whole distribution", fontsize=10, color=INK)
    axes.grid(color="#eaecf0")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
