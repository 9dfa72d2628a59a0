"""The results of record, and what was made from them."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import readme
from benchmarks.report.goals import verdicts

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
BYTES_MAX = 1_500_000


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "results.json").read_text(encoding="utf-8"))
    return found


def test_the_table_of_the_readme_is_made_from_the_results(document: dict[str, Any]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.partition(readme.BEGIN)[2].partition(readme.END)[0].strip()
    assert shown == readme.table(document), "make it anew: python -m benchmarks report"


def test_the_table_is_put_between_its_markers(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", encoding="utf-8")
    readme.update(document, path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{readme.BEGIN}\n{readme.HEAD[0]}\n")
    assert text.endswith(f"\n{readme.END}\nafter\n")
    assert "old" not in text
    path.write_text("no place", encoding="utf-8")
    with pytest.raises(ValueError, match="no place for the table"):
        readme.update(document, path)


def test_the_record_is_whole(document: dict[str, Any]) -> None:
    assert not document["conditions"]["quick"]
    assert document["conditions"]["rounds"] >= 5
    for figures in document["results"]["emit"].values():
        assert len(figures["closed"]["histograms"]) == document["conditions"]["rounds"]
    assert sum(path.stat().st_size for path in RESULTS.iterdir()) < BYTES_MAX
    for name in ("report.html", "latency.png", "spectrum.png"):
        assert (RESULTS / name).is_file()
    assert verdicts(document["results"])
