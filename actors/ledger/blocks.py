"""Blocks of entries that follow each other: the first thing that some indexes order by.

An index by user alone is added to at as many places as there are users, and each is a page that
is written anew with each transaction. One by block and user is added to within a few pages. A
search goes from block to block: ten million entries have 611.
"""

from __future__ import annotations

from typing import Final

BLOCK_BITS: Final = 14
"""Blocks are of 16,384 entries. The indexes of the schema have this number in them."""

BLOCK_EXPRESSION: Final = f"log_index >> {BLOCK_BITS}"
"""As it stands in the indexes: SQLite uses them for nothing that reads differently."""

IN_BLOCK: Final = f"{BLOCK_EXPRESSION} = ?"
"""The condition that an entry is in a block."""


def block_of(log_index: int) -> int:
    """Return the block that an entry is in."""
    return log_index >> BLOCK_BITS


def first_of(block: int) -> int:
    """Return the lowest index of a block."""
    return block << BLOCK_BITS


def last_of(block: int) -> int:
    """Return the highest index that a block can have."""
    return first_of(block + 1) - 1
