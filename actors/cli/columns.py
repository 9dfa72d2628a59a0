"""Aligned lines of text: what is printed where an entry's table would be too much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> Iterator[str]:
    """Yield a line for each row, with its cells in columns.

    Args:
        rows: all with the same number of cells; what they hold is to be visible text.
        right: the columns, from 0, that are aligned to the right.
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padding = " " * (width - cell_len(cell))
            cells.append(padding + cell if number in right else cell + padding)
        yield "  ".join(cells).rstrip()
