"""A statement of SQL with its values."""

from __future__ import annotations

from typing import NamedTuple

SqlValue = str | int
"""What is bound to a statement."""


class Statement(NamedTuple):
    """One query, with the values for its placeholders."""

    sql: str
    bindings: tuple[SqlValue, ...]
