"""The page: data, style and script in one file, that asks no network for anything."""

import html
import json
from pathlib import Path
from typing import Any

from benchmarks.report.goals import Verdict, is_busy, verdicts
from benchmarks.report.readme import measured

HERE = Path(__file__).parent


def write_report(document: dict[str, Any], path: Path) -> None:
    """Write the page for a document of results."""
    data = {
        "conditions": document["conditions"],
        "left_out": document.get("skipped", {}) | document.get("failed", {}),
        "results": _without_histograms(document["results"]),
        "verdicts": [one._asdict() for one in _verdicts(document)],
    }
    # What would end the script, inside of a text in it.
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    page = (HERE / "page.html").read_text(encoding="utf-8")
    for mark, value in (
        ("{{style}}", (HERE / "page.css").read_text(encoding="utf-8")),
        ("{{at}}", html.escape(str(document["conditions"]["at"])[:10])),
        ("{{measured}}", html.escape(measured(document["conditions"]))),
        ("{{data}}", text),
        ("{{script}}", (HERE / "page.js").read_text(encoding="utf-8")),
    ):
        page = page.replace(mark, value)
    path.write_text(page, encoding="utf-8")


def _without_histograms(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_histograms(one)
            for name, one in value.items()
            if name not in {"histograms", "rounds"}
        }
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, list | tuple):
        return [_without_histograms(one) for one in value]
    return value


def _verdicts(document: dict[str, Any]) -> list[Verdict]:
    return verdicts(document["results"], busy=is_busy(document["conditions"]))
