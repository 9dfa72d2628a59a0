"""Reversible escapes for text that is not valid Unicode.

File names that are not UTF-8 reach Python as strings with lone surrogates, which neither
UTF-8 nor I-JSON (RFC 7493) can carry. They are stored as U+0010 (DATA LINK ESCAPE)
followed by the surrogate's four hexadecimal digits; a U+0010 of the text itself is escaped
the same way, so that `unescape(escape(text)) == text` for every string.
"""

from __future__ import annotations

import re
from typing import Any

ESCAPE = "\x10"
ESCAPE_IN_JSON = b"\\u0010"
"""How JSON writes the escape character: bytes without it hold nothing to unescape."""

_NEEDS_ESCAPE = re.compile("[\x10\ud800-\udfff]")
_ESCAPED = re.compile("\x10([0-9a-f]{4})")


def escape(text: str) -> str:
    """Return the text with lone surrogates and U+0010 escaped."""
    return _NEEDS_ESCAPE.sub(lambda found: f"{ESCAPE}{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    """Undo `escape`."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def unescape_all(value: Any) -> Any:
    """Undo `escape` in every string of a decoded JSON value, keys included."""
    if isinstance(value, str):
        return unescape(value) if ESCAPE in value else value
    if isinstance(value, list):
        return [unescape_all(item) for item in value]
    if isinstance(value, dict):
        return {unescape_all(key): unescape_all(item) for key, item in value.items()}
    return value
