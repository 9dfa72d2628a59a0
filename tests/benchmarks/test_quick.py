"""A quick run of the benchmarks: what must be there, never how fast it is."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from benchmarks import peers
from benchmarks.histogram import KEYS

ROOT = Path(__file__).resolve().parents[2]
CHOSEN = ("construction", "journaled", "signledger-2.0b0")
"""The last is left out by name: there is no such folder here."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env={**os.environ, "BENCHMARK_PEERS": "/nowhere"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one command leaves, for a few peers."""
    directory = tmp_path_factory.mktemp("output")
    done = run("--quick", "--peers", ",".join(CHOSEN), "--max-size", "10000", "--output",
               str(directory))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "skipped: signledger-2.0b0" in done.stderr
    return directory


@pytest.fixture(scope="module")
def document(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "results.json").read_text(encoding="utf-8"))
    return found


def test_a_run_says_what_its_figures_depend_on(document: dict[str, Any]) -> None:
    assert {"cpu", "cores", "load", "file_system", "gc", "python", "versions"} <= set(
        document["conditions"]
    )
    assert "signledger-2.0b0" in document["skipped"]
    assert document["failed"] == {}


def test_each_loop_has_its_percentiles_and_a_histogram_that_others_can_read(
    document: dict[str, Any],
) -> None:
    emit = document["results"]["emit"]
    assert list(emit) == ["construction", "journaled"]
    for figures in emit.values():
        for loop in ("closed", "open"):
            one = figures[loop]
            assert all(one[key] > 0 for key in KEYS)
            assert one["to_construction"] > 0
            assert one["best_to_construction"] > 0
            (histogram,) = one["histograms"]
            decoded = HdrHistogram.decode(histogram)
            assert decoded.get_total_count() == sum(one["calls"])
            assert decoded.get_max_value() / 1000 == pytest.approx(one["max"], rel=0.001)
    timeline = emit["journaled"]["open"]["timeline"]
    assert timeline["commits_ms"], "the commits of the open loop are marked"


def test_nothing_is_lost_between_a_peer_and_its_sink(document: dict[str, Any]) -> None:
    results = document["results"]
    assert results["emit"]["journaled"]["dropped"] == 0
    assert results["emit"]["journaled"]["recorded"] == results["emit"]["journaled"]["emitted"]
    throughput = results["throughput"]["journaled"]
    assert throughput["recorded"] == throughput["emitted"] > 0
    for one in results["processes"]["journaled"]["processes"].values():
        assert one["lost"] == 0


def test_what_was_acknowledged_survives_a_kill(document: dict[str, Any]) -> None:
    crash = document["results"]["crash"]
    assert crash["journaled"]["closed"]["acknowledged"] > 0
    assert crash["journaled"]["closed"]["lost"] == crash["journaled"]["open"]["lost"] == 0


def test_a_backlog_is_refused_beyond_its_bound(document: dict[str, Any]) -> None:
    for one in document["results"]["scale"]["memory"]:
        assert one["backlog_max"] <= one["taken"] < 1.5 * one["backlog_max"]
        assert one["taken"] + one["refused"] == 3 * one["backlog_max"]


def test_the_report_is_one_file_that_needs_no_network(output: Path) -> None:
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "{{" not in re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=|url\(|@import|fetch\(""", page)
    (data,) = re.findall(r'type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    found = json.loads(data)
    assert set(found["results"]["emit"]) == {"construction", "journaled"}
    assert found["verdicts"]
    for chart in ("latency", "spectrum", "timeline", "throughput", "loss", "scale", "query"):
        assert f'id="{chart}"' in page


def test_emit_gives_its_ratios_as_json_alone() -> None:
    done = run("emit", "--quick", "--peers", "construction,queue-handler", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["queue-handler"]["closed"]["to_construction"] == pytest.approx(
        results["queue-handler"]["closed"]["p50"] / results["construction"]["closed"]["p50"],
        rel=1e-3,
    )


def test_an_unknown_peer_is_named() -> None:
    done = run("emit", "--peers", "journaled,nobody")
    assert done.returncode == 2
    assert "no such peer: nobody" in done.stderr


@pytest.mark.slow
def test_every_peer_that_is_installed_runs() -> None:
    done = run("throughput", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    left_out = set(document["skipped"])
    assert set(document["results"]) | left_out | peers.FLOORS_WITHOUT_RECORD == set(peers.names())
