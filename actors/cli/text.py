"""Stored values as text that is safe and readable on one line."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from minutebook.domain.jsonable import rfc3339

NOTHING = "-"
"""What stands for an absent value."""


def visible(text: str) -> str:
    """Return the text with everything that does not print escaped as Python writes it.

    Nothing of what an event carries can then break a line, colour or reorder a terminal, or
    hide between other characters.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def compact(value: Any) -> str:
    """Return a decoded JSON value on one line: JSON, with what does not print escaped."""
    return visible(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def inline(value: Any) -> str:
    """Return a value on one line: text as it is where that is clear, else JSON."""
    if isinstance(value, str) and value and not _needs_quotes(value):
        return visible(value)
    return compact(value)


def summary(payload: dict[str, Any]) -> str:
    """Return a payload on one line: ``name=value name=value ...``."""
    return " ".join(f"{_name(name)}={inline(value)}" for name, value in payload.items())


def local_part(moment: datetime) -> str:
    """Return a moment for people: date, time, UTC, to the second."""
    return rfc3339(moment)[:19].replace("T", " ")


def _name(name: str) -> str:
    return compact(name) if _needs_quotes(name) or "=" in name else visible(name)


def _needs_quotes(text: str) -> bool:
    # Anything else would read as several values, or as a number, null, list or the like.
    if text == "" or any(character.isspace() for character in text):
        return True
    if text in {"true", "false", "null", NOTHING}:
        return True
    if text[0] in '"[{-0123456789':
        try:
            json.loads(text)
        except ValueError:
            return text[0] in '"[{'
        return True
    return False
