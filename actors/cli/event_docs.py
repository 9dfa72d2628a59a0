"""The event types as a page of Markdown: who tells each, when, and what its fields are."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, get_type_hints

from pydantic import BaseModel

from minutebook.actors.cli.field_docs import field_docs
from minutebook.actors.cli.stored_types import parts_of, stored_type
from minutebook.domain.entry import Entry
from minutebook.domain.event import AuditEvent

_INTRODUCTION: Final = """\
# Events

Each type of event: who tells it, when, and its payload. What is the same for all is in the
envelope, which comes first. Text is Unicode; what is not (a file name, say) is escaped, see
`domain/surrogates.py`. Absent values are null.

Made from the source by `minutebook events`; see `minutebook events --help` for a page of your
own events.
"""

_ENVELOPE: Final = """\
## Envelope

The columns of the table `entries`, in their order, and the names in JSON Lines, where times
are written as in RFC 3339, hashes are hexadecimal, and `payload` stands for `body`.
"""

_PARTS: Final = """\
## Parts

What is nested in the payloads above.
"""


def events_page(classes: Iterable[type[AuditEvent]]) -> str:
    """Return the page that describes some event classes."""
    ordered = sorted(classes, key=lambda cls: cls.type)
    sections = [_INTRODUCTION, _index(ordered), _ENVELOPE + _envelope()]
    for family, members in groupby(ordered, key=lambda cls: cls.type.partition(".")[0]):
        sections.append(f"## {family}\n")
        sections += map(_event, members)
    parts = _parts(ordered)
    if parts:
        sections += [_PARTS, *map(_part, parts)]
    return "\n".join(sections)


def _index(classes: Sequence[type[AuditEvent]]) -> str:
    rows = [(f"[`{cls.type}`](#{_anchor(cls)})", _teller(cls)) for cls in classes]
    return _table(("type", "told by"), rows)


def _envelope() -> str:
    docs, hints = field_docs(Entry), get_type_hints(Entry)
    hints = {name: "bytes" if hint is bytes else stored_type(hint) for name, hint in hints.items()}
    rows = [(f"`{name}`", hints[name], docs[name]) for name in Entry._fields]
    return "\n" + _table(("field", "stored as", "meaning"), rows)


def _event(cls: type[AuditEvent]) -> str:
    cls.model_rebuild()
    fields = cls.model_fields
    said = [f"version {cls.schema_version}", f"outcome {fields['outcome'].default}"]
    said.append(f"severity {fields['severity'].default}")
    if cls.delivery is not None:
        said.append(f"delivered {cls.delivery}")
    lines = [
        f"### `{cls.type}`\n",
        f"{_when(cls)}\n",
        f"Told by: {_teller(cls)}. Class: `{cls.__name__}`; {', '.join(said)}.\n",
    ]
    rows = list(_rows(cls, cls.payload_names))
    lines.append(_table(("field", "stored as", "meaning"), rows) if rows else "No payload.\n")
    return "\n".join(lines)


def _part(cls: type[BaseModel]) -> str:
    rows = list(_rows(cls, tuple(cls.model_fields)))
    return f"### {cls.__name__}\n\n{_doc(cls)}\n\n{_table(('field', 'stored as', 'meaning'), rows)}"


def _parts(classes: Sequence[type[AuditEvent]]) -> list[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    for cls in classes:
        for name in cls.payload_names:
            found.update(parts_of(cls.model_fields[name].annotation))
    return sorted(found, key=lambda part: part.__name__)


def _rows(cls: type[BaseModel], names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    docs = field_docs(cls)
    for name in names:
        yield f"`{name}`", stored_type(cls.model_fields[name].annotation), docs.get(name, "")


def _teller(cls: type[AuditEvent]) -> str:
    return _said(cls)[0]


def _when(cls: type[AuditEvent]) -> str:
    return _said(cls)[1]


def _said(cls: type[AuditEvent]) -> tuple[str, str]:
    # The catalogue's docstrings begin with who tells it.
    teller, colon, when = _doc(cls).partition(": ")
    if not colon or not cls.__module__.startswith("minutebook."):
        return "the host", _doc(cls)
    return teller, when[:1].upper() + when[1:]


def _doc(cls: type) -> str:
    # Of the class itself: a base's says nothing of it.
    doc = inspect.cleandoc(vars(cls).get("__doc__") or "")
    return _code(" ".join(doc.partition("\n\n")[0].split())) or "Not described."


def _anchor(cls: type[AuditEvent]) -> str:
    return cls.type.replace(".", "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [_code(cell).replace("|", r"\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    # As Markdown marks it and JSON names it, not as docstrings do.
    return text.replace("``", "`").replace("`None`", "`null`")
