"""The report of record again, from its results: HTML, pictures, and the README's table.

python -m benchmarks report
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import readme
from benchmarks.report.goals import is_busy, verdicts
from benchmarks.report.html import write_report

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report, and say which goals hold."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="directory of results.json")
    parser.add_argument("--no-readme", action="store_true", help="leave the README as it is")
    parser.add_argument("--no-pictures", action="store_true", help="make no PNG (needs matplotlib)")
    arguments = parser.parse_args(argv)
    document = json.loads((arguments.results / "results.json").read_text(encoding="utf-8"))
    write_report(document, arguments.results / "report.html")
    if not arguments.no_pictures:
        from benchmarks.report.pictures import write_pictures

        write_pictures(document, arguments.results)
    if not arguments.no_readme:
        readme.update(document, README)
    for verdict in verdicts(document["results"], busy=is_busy(document["conditions"])):
        word = {True: "holds", False: "NOT YET", None: "open"}[verdict.holds]
        print(f"{word:<8}{verdict.goal}: {verdict.measured}")
    return 0
