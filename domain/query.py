"""What may be asked of a ledger: which entries, from when until when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from minutebook.domain.errors import InvalidQuery


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries are wanted; every field that is given must match.

    Raises:
        InvalidQuery: a time has no zone, or the span ends before it begins.
    """

    types: tuple[str, ...] = ()
    """Event types, any of which matches; ``*``, ``?`` and ``[...]`` stand for what they
    stand for in SQLite's GLOB (case matters). Never checked against the known classes."""
    user: str | None = None
    """Who acted: ``user_identity``, exactly."""
    plan: str | None = None
    """``plan_id``, exactly."""
    session: str | None = None
    """``session_id``, exactly."""
    correlation: str | None = None
    """``correlation_id``, exactly."""
    outcome: str | None = None
    """success, failure, denied or unknown."""
    since: datetime | None = None
    """Earliest ``occurred_at``, inclusive; aware."""
    until: datetime | None = None
    """Latest ``occurred_at``, exclusive; aware."""

    def __post_init__(self) -> None:
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and moment.tzinfo is None:
                msg = f"{name} has no time zone; use datetime.now(UTC) or add a tzinfo."
                raise InvalidQuery(msg)
        if self.since is not None and self.until is not None and self.since > self.until:
            msg = (
                f"nothing is both since {self.since.isoformat()} and before"
                f" {self.until.isoformat()}; swap the two times."
            )
            raise InvalidQuery(msg)


def is_glob(pattern: str) -> bool:
    """Tell whether an event type is a pattern rather than one exact type."""
    return not _GLOB_CHARACTERS.isdisjoint(pattern)


_GLOB_CHARACTERS: Final = frozenset("*?[")

_AGO = re.compile(r"(\d+)([smhdw])", re.ASCII)
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}

# `datetime.fromisoformat` alone takes any character between date and time: it reads
# "2026-01-31+02:00" as two o'clock.
_ABSOLUTE = re.compile(
    r"""
    \d{4}-\d\d-\d\d ([T ] \d\d:\d\d (:\d\d ([.,]\d+)?)? (Z | [+-]\d\d (:?\d\d)?)? )?
    | \d{8}         (T    \d{4}     ( \d\d ([.,]\d+)?)? (Z | [+-]\d\d (:?\d\d)?)? )?
    """,
    re.ASCII | re.VERBOSE,
)


def parse_time(text: str, now: datetime) -> datetime:
    """Return the moment that a text names, aware, in UTC.

    Args:
        text: a date, or a date and time, as in RFC 3339 or ISO 8601 (a date means its
            midnight, a time without a zone is UTC); or ``90s``, ``15m``, ``2h``, ``3d``
            or ``1w``: that long before `now`.
        now: aware.

    Raises:
        InvalidQuery: it is neither, or no calendar has that moment.
    """
    ago = _AGO.fullmatch(text.strip())
    absolute = text.strip().upper()
    try:
        if ago is not None:
            return (now - int(ago[1]) * _UNITS[ago[2]]).astimezone(UTC)
        if _ABSOLUTE.fullmatch(absolute):
            moment = datetime.fromisoformat(absolute)
            if moment.tzinfo is None:
                return moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        # The shape is right, and there is no such day, hour or year.
        pass
    msg = (
        f"{text!r:.80} is no time; write 2026-01-31, 2026-01-31T12:00:00Z,"
        " or 90s, 15m, 2h, 3d or 1w for that long ago."
    )
    raise InvalidQuery(msg)
