"""HdrHistograms of latencies, and what is read from them.

Nanoseconds, three significant digits, up to an hour. Each is kept with the results in the
format of HdrHistogram itself (V2, compressed, base 64), which its tools of any language read.
"""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hdrh.histogram import HdrHistogram

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "p99.99": 99.99}
"""What is read, beside the maximum."""

KEYS = (*PERCENTILES, "max")

_NS_MAX = 3_600_000_000_000


def encode(taken_ns: Iterable[int]) -> str:
    """Record latencies, and encode the histogram."""
    histogram = HdrHistogram(1, _NS_MAX, 3)
    for value, count in Counter(taken_ns).items():
        histogram.record_value(min(max(value, 1), _NS_MAX), count)
    encoded: bytes = histogram.encode()
    return encoded.decode("ascii")


def merged(encoded: Iterable[str]) -> HdrHistogram:
    """Add histograms up."""
    total = HdrHistogram(1, _NS_MAX, 3)
    for text in encoded:
        total.add(HdrHistogram.decode(text))
    return total


def read(histogram: HdrHistogram) -> dict[str, float]:
    """Return the percentiles and the maximum, in microseconds."""
    found = {
        key: histogram.get_value_at_percentile(percentile) / 1000
        for key, percentile in PERCENTILES.items()
    }
    return {**found, "max": histogram.get_max_value() / 1000}


def spectrum(histogram: HdrHistogram, points: int = 5) -> list[tuple[float, float]]:
    """Return (1 / (1 - percentile), microseconds), so many points each time that halves."""
    total, found, halvings = histogram.get_total_count(), [], 0.0
    while (inverse := 2.0**halvings) <= total:
        value_us = histogram.get_value_at_percentile(100 * (1 - 1 / inverse)) / 1000
        found.append((round(inverse, 3), value_us))
        halvings += 1 / points
    return [*found, (float(total), histogram.get_max_value() / 1000)]


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return the median with its spread over the repeats."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def over_repeats(each: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return the median of each percentile over the repeats, and how far the repeats spread."""
    medians = {key: statistics.median(one[key] for one in each) for key in KEYS}
    spread = {key: [min(one[key] for one in each), max(one[key] for one in each)] for key in KEYS}
    return {**medians, "spread": spread}
