"""How figures are read from histograms, and goals judged from figures."""

from typing import Any

import pytest

from benchmarks import histogram
from benchmarks.report.goals import verdicts


def test_a_histogram_gives_back_what_was_recorded() -> None:
    encoded = histogram.encode([1000] * 990 + [50_000] * 9 + [2_000_000])
    found = histogram.read(histogram.merged([encoded]))
    assert found["p50"] == pytest.approx(1, rel=0.001)
    assert found["p99.9"] == pytest.approx(50, rel=0.001)
    assert found["max"] == pytest.approx(2000, rel=0.001)


def test_rounds_add_up_and_keep_their_spread() -> None:
    rounds = [histogram.encode([value] * 10) for value in (1000, 3000, 2000)]
    merged = histogram.merged(rounds)
    assert merged.get_total_count() == 30
    each = [histogram.read(histogram.merged([one])) for one in rounds]
    median = histogram.over_repeats(each)
    assert median["p50"] == pytest.approx(2, rel=0.001)
    assert median["spread"]["p50"] == pytest.approx([1, 3], rel=0.001)
    points = histogram.spectrum(merged)
    assert points[0][0] == 1
    assert points[-1][0] == 30
    assert [value for _, value in points] == sorted(value for _, value in points)


def loops(microseconds: float, returns: str) -> dict[str, Any]:
    loop = {
        "p50": microseconds,
        "p99": microseconds,
        "p99.9": microseconds,
        "to_construction": microseconds,
        "best_to_construction": microseconds - 0.5,
        "spread": {"p50": [microseconds - 0.5, microseconds + 3]},
    }
    return {"about": {"returns": returns}, "closed": loop, "open": loop}


RESULTS = {
    "emit": {
        "construction": loops(1.0, "nothing"),
        "journaled": loops(1.7, "page cache"),
        "structlog": loops(1.6, "page cache"),
        # Quicker, and less safe: no rival of this class.
        "pykka-each": loops(1.1, "memory"),
    }
}


def test_a_goal_names_the_peer_that_is_faster() -> None:
    found = verdicts(RESULTS)
    (ratio,) = [one for one in found if "1.8 times building" in one.goal]
    assert ratio.holds
    assert ratio.measured == "1.20 of the best rounds; 1.70 of the medians"
    (rivals,) = [one for one in found if "journaled, open" in one.goal]
    assert rivals.holds is False
    assert "structlog" in rivals.measured
    assert "pykka" not in rivals.measured


def test_a_busy_machine_leaves_goals_about_tails_open() -> None:
    found = {one.goal: one.holds for one in verdicts(RESULTS, busy=True)}
    assert [holds for goal, holds in found.items() if "p99" in goal] == [None, None]
    assert [holds for goal, holds in found.items() if "1.8 times building" in goal] == [True]
