"""Lists in events, bounded: an apply may change more files than an event may hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

LIST_BYTES_MAX: Final = 32 * 1024
"""About how many stored bytes the items of one list may take."""

Item = TypeVar("Item")


def fit(items: Sequence[Item], size: Callable[[Item], int]) -> tuple[tuple[Item, ...], int]:
    """Return the first items, as many as fit, and how many were left out.

    Args:
        items: what is to be listed.
        size: about how many bytes an item takes when stored.
    """
    room = LIST_BYTES_MAX
    for count, item in enumerate(items):
        room -= size(item)
        if room < 0:
            return tuple(items[:count]), len(items) - count
    return tuple(items), 0


def fit_texts(texts: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Return the first texts, as many as fit, and how many were left out."""
    # Six bytes a character is the worst that JSON's own escapes come to.
    return fit(texts, lambda text: 6 * len(text) + 3)


def shortened(text: str, characters_max: int = 2000) -> str:
    """Return the text, its middle replaced by an ellipsis when it is longer than allowed."""
    if len(text) <= characters_max:
        return text
    half = (characters_max - 5) // 2
    return f"{text[:half]} ... {text[len(text) - half :]}"
