"""The clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_microseconds() -> int:
    """Return the time of the machine's clock: microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


def utc_now() -> datetime:
    """Return the time of the machine's clock, UTC."""
    return datetime.now(UTC)
