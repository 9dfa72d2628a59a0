"""Entries for programs: JSON Lines, JSON and CSV, streamed, always in UTF-8."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Any, BinaryIO, Final

import orjson

from minutebook.actors.cli.text import visible
from minutebook.domain.entry import COLUMNS, Entry

# DEL, C1 controls, line separators and what reorders a line. JSON may carry them as they
# are, but terminals obey some, and `str.splitlines` ends a line at others.
_UNSAFE: Final = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")

_CSV_COLUMNS: Final = (*(name for name in COLUMNS if name != "body"), "payload")


def json_line(entry: Entry) -> bytes:
    """Return an entry as one JSON object on one line, without the line's end."""
    return _safe(orjson.dumps(entry.as_json_object()))


def json_document(entry: Entry) -> bytes:
    """Return an entry as one JSON object, indented for reading."""
    return document(entry.as_json_object())


def document(value: Any) -> bytes:
    """Return what JSON can hold as JSON, indented for reading, without the last line's end."""
    return _safe(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def write_json_lines(entries: Iterable[Entry], out: BinaryIO) -> None:
    """Write one object a line."""
    for entry in entries:
        out.write(json_line(entry) + b"\n")


def write_json(entries: Iterable[Entry], out: BinaryIO) -> None:
    """Write one array, with one object a line."""
    separator = b"[\n"
    for entry in entries:
        out.write(separator + json_line(entry))
        separator = b",\n"
    out.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def write_csv(entries: Iterable[Entry], out: BinaryIO, *, escaped: bool) -> None:
    """Write a line of column names and one record an entry.

    The columns are those of JSON Lines; ``project_names`` and ``payload`` are JSON, an
    absent value is an empty field.

    Args:
        escaped: for a terminal: text with what does not print escaped, one line a record.
    """
    text = TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_CSV_COLUMNS)
        for entry in entries:
            record = entry.as_json_object()
            for name in ("project_names", "payload"):
                record[name] = _safe(orjson.dumps(record[name])).decode("utf-8")
            fields = [record[name] for name in _CSV_COLUMNS]
            if escaped:
                fields = [visible(field) if isinstance(field, str) else field for field in fields]
            writer.writerow(fields)
    finally:
        text.detach()


def _safe(data: bytes) -> bytes:
    return _UNSAFE.sub(lambda found: b"\\u%04x" % ord(found[0].decode("utf-8")), data)
