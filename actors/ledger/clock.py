"""The ledger's clock."""

from __future__ import annotations

import time


def now_microseconds() -> int:
    """Return the time of the machine's clock: microseconds since the epoch, UTC."""
    return time.time_ns() // 1000
