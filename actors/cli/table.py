"""Entries as a table: for eyes in a terminal, for programs in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

from rich.cells import cell_len

from minutebook.actors.cli.text import NOTHING, local_part, summary, visible
from minutebook.domain.jsonable import rfc3339

if TYPE_CHECKING:
    from rich.console import Console

    from minutebook.domain.entry import Entry

OUTCOME_STYLES: Final = {
    "success": "green",
    "failure": "red",
    "denied": "magenta",
    "unknown": "yellow",
}
"""How rich writes an outcome."""

SEVERITY_STYLES: Final = {
    "debug": "dim",
    "info": "",
    "warning": "yellow",
    "error": "red",
    "critical": "bold red",
}
"""How rich writes the type of an event of a severity."""

_GAP: Final = 2

# In this order columns give way to the payload in a narrow terminal, down to these widths.
_GIVING_WAY: Final = (
    ("plan", 9),
    ("user", 16),
    ("time", 8),
    ("user", 10),
    ("plan", 4),
    ("type", 14),
    ("user", 4),
)
_PAYLOAD_WIDTH_MIN: Final = 20  # a quarter of the width, where that is more


class Row(NamedTuple):
    """The cells of an entry's line."""

    log_index: str
    time: str
    type: str
    user: str
    plan: str
    outcome: str
    payload: str

    @classmethod
    def of(cls, entry: Entry, *, exact: bool) -> Row:
        """Show an entry.

        Args:
            exact: the time with its microseconds, in RFC 3339; else to the second.
        """
        moment = entry.occurred_time
        return cls(
            str(entry.log_index),
            rfc3339(moment) if exact else local_part(moment),
            visible(entry.type),
            _cell(entry.user_identity),
            _cell(entry.plan_id),
            visible(entry.outcome),
            summary(entry.payload),
        )


_HEAD: Final = Row("index", "time (UTC)", "type", "user", "plan", "outcome", "payload")


def print_table(entries: Sequence[Entry], out: TextIO | None = None) -> None:
    """Print entries as a table; which kind, the output decides.

    To a terminal: in colour, as wide as it is, what does not fit cut off. To anything else:
    without colour, one whole line an entry, columns aligned, absent values as ``-``.

    Args:
        entries: in the order to show.
        out: standard output when not given.
    """
    to: TextIO = sys.stdout if out is None else out
    if to.isatty():
        from rich.console import Console

        print_terminal_table(entries, Console(file=to, highlight=False))
    else:
        _print_plain_table(entries, to)


def print_terminal_table(entries: Sequence[Entry], console: Console) -> None:
    """Print entries as a table that fits a console's width."""
    from rich.table import Table
    from rich.text import Text

    rows = [Row.of(entry, exact=False) for entry in entries]
    widths = _fitted(_widths([_HEAD, *rows]), console.width)
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for head, (name, width) in zip(_HEAD, widths.items(), strict=True):
        table.add_column(
            "UTC" if width < len(head) and name == "time" else head,
            width=width,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if name == "log_index" else "left",
        )
    for entry, row in zip(entries, rows, strict=True):
        # The end of the time says more than its beginning, where there is room for one only.
        time = row.time[-widths["time"] :] if widths["time"] < len(row.time) else row.time
        table.add_row(
            Text(row.log_index, style="dim"),
            Text(time),
            Text(row.type, style=SEVERITY_STYLES.get(entry.severity, "")),
            Text(row.user),
            Text(_end(row.plan, widths["plan"]), style="dim"),
            Text(row.outcome, style=OUTCOME_STYLES.get(entry.outcome, "")),
            # Cut here already: rich measures all of a text that it then cuts.
            Text(row.payload[: widths["payload"] + 1]),
        )
    console.print(table)


def _end(text: str, width: int) -> str:
    # Ids made at about the same time begin alike.
    return text if len(text) <= width else f"…{text[1 - width :]}"


def _print_plain_table(entries: Sequence[Entry], out: TextIO) -> None:
    rows = [_HEAD._replace(time="time"), *(Row.of(entry, exact=True) for entry in entries)]
    widths = _widths(rows)
    for row in rows:
        cells = [row.log_index.rjust(widths["log_index"])]
        for name, cell in zip(Row._fields[1:-1], row[1:-1], strict=True):
            cells.append(cell + " " * (widths[name] - cell_len(cell)))
        out.write("  ".join((*cells, row.payload)).rstrip() + "\n")


def _widths(rows: Sequence[Row]) -> dict[str, int]:
    return {
        name: max(map(cell_len, column))
        for name, column in zip(Row._fields, zip(*rows, strict=True), strict=True)
    }


def _fitted(widths: dict[str, int], total: int) -> dict[str, int]:
    fitted = dict(widths)
    room = total - _GAP * (len(fitted) - 1) - sum(fitted.values()) + fitted["payload"]
    wanted = min(fitted["payload"], max(total // 4, _PAYLOAD_WIDTH_MIN))
    for name, width_min in _GIVING_WAY:
        given = min(max(wanted - room, 0), max(fitted[name] - width_min, 0))
        if name == "time" and given:
            # A date that is cut anywhere else would read as another date.
            given = max(fitted[name] - width_min, 0)
        fitted[name] -= given
        room += given
    fitted["payload"] = max(min(fitted["payload"], room), 1)
    return fitted


def _cell(text: str | None) -> str:
    return NOTHING if text is None else visible(text)
