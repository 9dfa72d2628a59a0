"""``minutebook stats``: what a ledger holds, in numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice
from typing import Annotated, Any, Final

import typer

from minutebook.actors.cli.columns import aligned
from minutebook.actors.cli.log import end_quietly_with_the_pipe
from minutebook.actors.cli.records import document
from minutebook.actors.cli.text import NOTHING, local_part, visible
from minutebook.actors.ledger.statistics import Statistics, read_statistics
from minutebook.domain.entry import from_microseconds
from minutebook.domain.jsonable import rfc3339
from minutebook.domain.surrogates import escape

ROWS_MAX: Final = 50
"""Most lines of one table; ``--json`` has all."""

_EPOCH: Final = date(1970, 1, 1)


def stats(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger file.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Count a ledger's entries by type, user, outcome and day; its span, size, producers, gaps.

    Reads only, while others may be writing; all of the file, so a large one takes seconds.
    """
    end_quietly_with_the_pipe()
    found = read_statistics(ledger)
    if json:
        sys.stdout.buffer.write(document(_as_json_object(found)) + b"\n")
    else:
        for line in _lines(ledger, found):
            print(line.rstrip())


def _as_json_object(found: Statistics) -> dict[str, Any]:
    lag = found.slowest
    return {
        "ledger_id": found.ledger_id,
        "created_at": _moment(found.created_at),
        "schema_version": found.schema_version,
        "file_bytes": found.file_bytes,
        "wal_bytes": found.log_bytes,
        "entries": found.entries,
        "stored_bytes": found.stored_bytes,
        "occurred_first": _moment(found.occurred_first),
        "occurred_last": _moment(found.occurred_last),
        # Lists of objects: an identity may be null, and any text.
        "types": [{"type": escape(name), "entries": n} for name, n in found.types.items()],
        "users": [
            {"user_identity": None if name is None else escape(name), "entries": n}
            for name, n in found.users.items()
        ],
        "outcomes": [{"outcome": name, "entries": n} for name, n in found.outcomes.items()],
        "days": [{"day": _day(number), "entries": n} for number, n in found.days.items()],
        "producers": [producer._asdict() for producer in found.producers],
        "gaps": [gap._asdict() for gap in found.gaps],
        "slowest": None if lag is None else {"log_index": lag.log_index, "lag_s": lag.us / 1e6},
    }


def _lines(ledger: str, found: Statistics) -> Iterator[str]:
    missing = sum(producer.missing for producer in found.producers)
    yield f"ledger     {visible(ledger)}"
    yield f"made       {_people(found.created_at)} UTC, schema version {found.schema_version}"
    yield f"size       {found.file_bytes:,} bytes, write-ahead log {found.log_bytes:,}"
    yield f"entries    {found.entries:,}, of {found.stored_bytes:,} bytes"
    if found.occurred_first is not None and found.occurred_last is not None:
        yield f"from       {_people(found.occurred_first)} UTC"
        yield f"to         {_people(found.occurred_last)} UTC"
    if found.slowest is not None:
        seconds = f"{found.slowest.us / 1e6:,.6f} s"
        yield f"slowest    {seconds} to be recorded, entry {found.slowest.log_index}"
    yield f"producers  {len(found.producers):,}"
    events = sum(gap.events for gap in found.gaps)
    yield f"gaps       {events:,} events, and {missing:,} numbers missing"
    yield from _table("type", found.types)
    yield from _table("user", found.users)
    yield from _table("outcome", found.outcomes)
    # The newest days, in order.
    newest = islice(reversed(found.days.items()), ROWS_MAX)
    yield from _table(
        "day (UTC)", {_day(day): count for day, count in reversed([*newest])}, len(found.days)
    )
    yield from _table("gap", {gap.cause: gap.events for gap in found.gaps})
    yield from _table(
        "missing of", {each.producer: each.missing for each in found.producers if each.missing}
    )


def _table(head: str, counts: Mapping[Any, int], existing: int | None = None) -> Iterator[str]:
    if not counts:
        return
    rows = [(NOTHING if name is None else visible(name), f"{n:,}") for name, n in counts.items()]
    left_out = (len(rows) if existing is None else existing) - min(len(rows), ROWS_MAX)
    rows = [(head, "entries"), *rows[:ROWS_MAX]]
    yield ""
    yield from aligned(rows, right=(1,))
    if left_out:
        yield f"({left_out:,} more; --json shows all)"


def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()


def _moment(microseconds: int | None) -> str | None:
    return None if microseconds is None else rfc3339(from_microseconds(microseconds))


def _people(microseconds: int) -> str:
    return local_part(from_microseconds(microseconds))
