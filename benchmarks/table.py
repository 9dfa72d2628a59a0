"""Tables for the terminal."""

import json
from collections.abc import Sequence
from typing import Any


def print_conditions(conditions: dict[str, Any]) -> None:
    """Say what the figures depend on."""
    print(json.dumps(conditions))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, the first two to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
