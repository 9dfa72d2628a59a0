"""``minutebook log``: the entries of a ledger that match, newest last."""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

import typer

from minutebook.actors.cli.records import write_csv, write_json, write_json_lines
from minutebook.actors.cli.table import print_table
from minutebook.actors.ledger.reader import LedgerReader
from minutebook.domain.query import EntryFilter, parse_time

TABLE_LIMIT: Final = 1000
"""Most entries of a table unless another limit is given."""


class LogFormat(StrEnum):
    """How entries are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class OutcomeName(StrEnum):
    """What may be asked of an outcome."""

    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"
    UNKNOWN = "unknown"


def end_quietly_with_the_pipe() -> None:
    """Let the process end as other filters do when nobody reads on, as in ``| head``."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def log(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger file.")],
    type: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="Only events of this type; * and ? match any text and any one character, so"
            " 'plan.*' is all of plans. Give it again for more types.",
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="IDENTITY", help="Only what this user did.")
    ] = None,
    plan: Annotated[str | None, typer.Option(metavar="ID", help="Only of this plan.")] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Only in this session.")] = None,
    correlation: Annotated[
        str | None, typer.Option(metavar="ID", help="Only with this correlation id.")
    ] = None,
    outcome: Annotated[
        OutcomeName | None,
        typer.Option(
            metavar="OUTCOME",
            help="Only what ended like this: success, failure, denied or unknown.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only what occurred then or later: 2026-01-31, 2026-01-31T12:00:00Z (UTC when"
            " it names no zone), or 90s, 15m, 2h, 3d, 1w: that long ago.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what occurred before then.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help=f"Only the newest N entries; without it a table has {TABLE_LIMIT} at most, the"
            " other formats have all.",
        ),
    ] = None,
    format: Annotated[
        LogFormat,
        typer.Option(
            metavar="FORMAT",
            help="table for reading; json (one array), jsonl (one object a line) and csv for"
            " programs.",
        ),
    ] = LogFormat.TABLE,
) -> None:
    """List the entries of a ledger, newest last."""
    end_quietly_with_the_pipe()
    now = datetime.now(UTC)
    wanted = EntryFilter(
        types=tuple(type or ()),
        user=user,
        plan=plan,
        session=session,
        correlation=correlation,
        outcome=outcome,
        since=None if since is None else parse_time(since, now),
        until=None if until is None else parse_time(until, now),
    )
    with LedgerReader(ledger) as reader:
        if format is LogFormat.TABLE:
            _print_table(reader, wanted, limit)
            return
        entries = reader.entries(wanted, limit)
        out = sys.stdout.buffer
        if format is LogFormat.JSONL:
            write_json_lines(entries, out)
        elif format is LogFormat.JSON:
            write_json(entries, out)
        else:
            write_csv(entries, out, escaped=sys.stdout.isatty())


def _print_table(reader: LedgerReader, wanted: EntryFilter, limit: int | None) -> None:
    # One more than is shown tells whether older ones are left out.
    entries = list(reader.entries(wanted, TABLE_LIMIT + 1 if limit is None else limit))
    left_out = limit is None and len(entries) > TABLE_LIMIT
    if left_out:
        del entries[0]
    print_table(entries)
    sys.stdout.flush()
    if left_out:
        print(
            f"minutebook: only the newest {TABLE_LIMIT} entries are shown; --limit N shows more,"
            " --format jsonl all.",
            file=sys.stderr,
        )
    elif not entries:
        print("minutebook: no entries match.", file=sys.stderr)
