"""One entry in full, as indented lines of styled text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len

from minutebook.actors.cli.table import OUTCOME_STYLES, SEVERITY_STYLES
from minutebook.actors.cli.text import NOTHING, compact, inline, visible
from minutebook.domain.jsonable import rfc3339

if TYPE_CHECKING:
    from minutebook.domain.entry import Entry

Line = list[tuple[str, str]]
"""Pieces of text, each with its style for rich."""

_NAME = "cyan"
_DIM = "dim"
_INDENT = 2


def print_detail(
    entry: Entry, out: TextIO | None = None, *, payload: dict[str, Any] | None = None
) -> None:
    """Print everything of an entry; in colour when the output is a terminal.

    Args:
        entry: which.
        payload: what is shown as its payload; as it is stored when not given.
        out: standard output when not given.
    """
    to: TextIO = sys.stdout if out is None else out
    if not to.isatty():
        for line in detail_lines(entry, width=None, payload=payload):
            to.write("".join(piece for piece, _ in line).rstrip() + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=to, highlight=False)
    for line in detail_lines(entry, width=console.width, payload=payload):
        # The terminal breaks what is too long: copied, it is one line again.
        console.print(Text.assemble(*line), soft_wrap=True)


def detail_lines(
    entry: Entry, *, width: int | None, payload: dict[str, Any] | None = None
) -> Iterator[Line]:
    """Yield the lines that show an entry.

    Args:
        entry: which.
        payload: what is shown as its payload; as it is stored when not given.
        width: columns that a table within the payload may take; any when ``None``.
    """
    envelope = [
        ("index", str(entry.log_index), "bold"),
        ("id", visible(entry.id), ""),
        (
            "type",
            f"{visible(entry.type)} (schema version {entry.schema_version})",
            SEVERITY_STYLES.get(entry.severity, ""),
        ),
        ("occurred at", rfc3339(entry.occurred_time), ""),
        ("recorded at", rfc3339(entry.recorded_time), ""),
        ("outcome", visible(entry.outcome), OUTCOME_STYLES.get(entry.outcome, "")),
        ("outcome reason", _text(entry.outcome_reason), ""),
        ("severity", visible(entry.severity), SEVERITY_STYLES.get(entry.severity, "")),
        ("user", _text(entry.user_identity), ""),
        ("on behalf of", _text(entry.on_behalf_of), ""),
        ("session", _text(entry.session_id), ""),
        ("correlation", _text(entry.correlation_id), ""),
        ("causation", _text(entry.causation_id), ""),
        ("traceparent", _text(entry.traceparent), ""),
        ("plan", _text(entry.plan_id), ""),
        ("projects", visible(", ".join(entry.as_json_object()["project_names"])) or NOTHING, ""),
        ("source", visible(entry.source), ""),
        ("producer", f"{visible(entry.producer)} #{entry.producer_seq}", ""),
        ("leaf hash", f"{entry.leaf_hash.hex()} (layout {entry.hash_version})", ""),
    ]
    widest = max(len(name) for name, _, _ in envelope)
    for name, value, style in envelope:
        yield [(name.ljust(widest + 2), _NAME), (value, _DIM if value == NOTHING else style)]
    yield [("payload", _NAME)]
    yield from _members(entry.payload if payload is None else payload, _INDENT, width)


def _members(members: dict[str, Any], indent: int, width: int | None) -> Iterator[Line]:
    """Yield ``name  value`` lines, with the values aligned."""
    names = {name: visible(name) for name in members}
    scalars = [name for name, value in members.items() if not _is_nested(value)]
    widest = max((cell_len(names[name]) for name in scalars), default=0)
    for name, value in members.items():
        shown = names[name]
        margin = (" " * indent, "")
        if not _is_nested(value):
            padding = " " * (widest - cell_len(shown) + 2)
            yield [margin, (shown, _NAME), (padding, ""), *_scalar(value)]
            continue
        size = f" ({len(value)})" if isinstance(value, list) else ""
        yield [margin, (shown, _NAME), (size, _DIM)]
        yield from _nested(value, indent + _INDENT, width)


def _nested(value: Any, indent: int, width: int | None) -> Iterator[Line]:
    margin = (" " * indent, "")
    if isinstance(value, str):
        # The bar marks each line as text: none can pass for a field.
        for line in value.split("\n"):
            yield [margin, ("| ", _DIM), (visible(line), "")]
    elif isinstance(value, dict):
        yield from _members(value, indent, width)
    elif _is_table(value):
        table = list(_table(value))
        if width is None or all(indent + _width(line) <= width for line in table):
            yield from ([margin, *line] for line in table)
        else:
            yield from _items(value, indent, width)
    else:
        yield from _items(value, indent, width)


def _items(values: list[Any], indent: int, width: int | None) -> Iterator[Line]:
    bullet = [(" " * indent, ""), ("- ", _DIM)]
    for value in values:
        if not _is_nested(value):
            yield [*bullet, *_scalar(value)]
            continue
        # The first line takes the place beside the bullet, instead of its margin.
        lines = _nested(value, indent + _INDENT, width)
        yield [*bullet, *next(lines)[1:]]
        yield from lines


def _table(rows: list[dict[str, Any]]) -> Iterator[Line]:
    columns = list(rows[0])
    cells = [[_scalar(row[name])[0] for name in columns] for row in rows]
    heads = [visible(name) for name in columns]
    widths = [
        max(cell_len(head), *(cell_len(line[column][0]) for line in cells))
        for column, head in enumerate(heads)
    ]
    numeric = [all(row[name] is None or _is_number(row[name]) for row in rows) for name in columns]
    for line in [[(head, _NAME) for head in heads], *cells]:
        pieces: Line = []
        for (text, style), width, is_numeric in zip(line, widths, numeric, strict=True):
            padding = (" " * (width - cell_len(text)), "")
            cell = (text, style)
            pieces += [padding, cell] if is_numeric else [cell, padding]
            pieces.append(("  ", ""))
        yield pieces[:-1]


def _is_table(values: Sequence[Any]) -> bool:
    """Tell whether all are objects of the same names, without objects or long text within."""
    return all(
        isinstance(value, dict)
        and value
        and value.keys() == values[0].keys()
        and not any(_is_nested(part) and not _is_list_of_scalars(part) for part in value.values())
        for value in values
    )


def _is_list_of_scalars(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(part, list | dict) for part in value)


def _is_nested(value: Any) -> bool:
    if isinstance(value, str):
        return "\n" in value.rstrip("\n")
    return isinstance(value, list | dict) and bool(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(value: Any) -> Line:
    if value is None:
        return [(NOTHING, _DIM)]
    if isinstance(value, str) and value.strip() == value and value:
        # A text that reads as another kind of value, and only that, is quoted.
        return [(visible(value) if " " in value else inline(value), "")]
    return [(compact(value), "")]


def _text(value: str | None) -> str:
    return NOTHING if value is None else visible(value)


def _width(line: Line) -> int:
    return sum(cell_len(piece) for piece, _ in line)
