"""Comparing the tree over what a ledger has with what was signed, and with what it stores.

The tree is followed block by block, of 256 leaves each. Where an entry is not as it was, the
stored root of its block stands in, so that all the rest can still be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from minutebook.domain.finding import Finding
from minutebook.domain.merkle import EMPTY, CompactRange, folded

BLOCK_LEVEL: Final = 8
"""Of the root of a block."""

BLOCK: Final = 1 << BLOCK_LEVEL
"""Leaves of a block."""


class Head(NamedTuple):
    """A head of the tree that the log has signed."""

    size: int
    """How many entries it has."""
    root: bytes
    """Their root."""
    where: str
    """Where it was found, in words."""


class Suspect(NamedTuple):
    """A stretch of entries that does not lead to what was signed, or stored."""

    first: int
    """Where it begins."""
    last: int
    """Where it ends, exclusive."""
    detail: str
    """Why, in words."""
    reach: int
    """Up to where a hole in a producer's numbers may be seen that is of this stretch."""


class Block(NamedTuple):
    """A block's root, twice."""

    computed: bytes | None
    """Over the entries as they are; ``None`` when one of them is not as it was."""
    stored: bytes | None
    """In the ledger's table of nodes."""


class TreeCheck:
    """Follows the blocks of a ledger, and compares each signed head when it comes to it.

    Args:
        heads: what was signed, of any size.
        before: compact range over the blocks before the first one that is looked at.
    """

    def __init__(self, heads: Iterable[Head], before: CompactRange = EMPTY) -> None:
        self._heads = sorted(heads, key=lambda head: head.size)
        self._good = before
        self._since: list[Block] = []
        self._place = 0
        self._unresolved: list[tuple[Head, int]] = []
        self.signed_size = 0
        """Size of the newest head that holds."""
        self.held: set[tuple[int, bytes]] = set()
        """Size and root of all that hold."""
        self.suspects: list[Suspect] = []
        """Stretches that were named by their blocks."""

    @property
    def size(self) -> int:
        """How many leaves the blocks have that were followed."""
        return (self._good.size + len(self._since)) << BLOCK_LEVEL

    def take(
        self,
        blocks: Sequence[Block],
        partial: Mapping[int, tuple[bytes, ...] | None],
    ) -> None:
        """Take the next blocks, and compare the heads that end in them, or right behind them.

        Args:
            blocks: complete ones.
            partial: for the size of each such head the subtrees behind its last whole block.
        """
        self._since.extend(blocks)
        while self._place < len(self._heads):
            head = self._heads[self._place]
            if head.size >> BLOCK_LEVEL > self.size >> BLOCK_LEVEL or (
                head.size % BLOCK and head.size not in partial
            ):
                return
            self._place += 1
            if head.size > 0:
                self._compare(head, partial.get(head.size, ()) if head.size % BLOCK else ())

    def root(self, size: int, partial: tuple[bytes, ...] | None) -> bytes | None:
        """Return the root over the first entries, ``None`` when it cannot be known.

        Args:
            size: at least the size of the newest head that holds.
            partial: the subtrees behind the last whole block.
        """
        return None if partial is None else self._folded(size, partial, prefer_stored=False)[0]

    def _compare(self, head: Head, partial: tuple[bytes, ...] | None) -> None:
        if partial is None:
            return
        for prefer_stored in (False, True):
            root, grown = self._folded(head.size, partial, prefer_stored=prefer_stored)
            if root == head.root:
                self._hold(head, grown, named=prefer_stored)
                return
        self._unresolved.append((head, self.signed_size))

    def _folded(
        self, size: int, partial: tuple[bytes, ...], *, prefer_stored: bool
    ) -> tuple[bytes | None, CompactRange]:
        leaves = []
        for block in self._since[: (size >> BLOCK_LEVEL) - self._good.size]:
            first, second = (
                (block.stored, block.computed) if prefer_stored else (block.computed, block.stored)
            )
            leaf = first if first is not None else second
            if leaf is None:
                return None, self._good
            leaves.append(leaf)
        grown, _ = self._good.extended(leaves)
        return folded((*grown.hashes, *partial)), grown

    def _hold(self, head: Head, grown: CompactRange, *, named: bool) -> None:
        place = self._good.size
        passed = self._since[: grown.size - place]
        why = (
            f"they do not lead to the checkpoint of {head.size} entries {head.where}"
            if named
            else "the stored tree has another root for them than was signed"
        )
        for first, last in _differing(passed, place):
            end = last << BLOCK_LEVEL
            self.suspects.append(Suspect(first << BLOCK_LEVEL, end, why, end))
        self._good, self._since = grown, self._since[len(passed) :]
        self.signed_size = head.size
        self.held.add((head.size, head.root))

    def disagreements(self) -> Iterator[tuple[Head, int, bool]]:
        """Yield heads that do not hold, the size of the newest before them that does, and whether
        a later one does hold; when all was taken.

        Those that end within a block that is a suspect itself are left out.
        """
        for head, good in self._unresolved:
            is_later = head.size <= self.signed_size
            is_known = any(each.first < head.size and each.last > good for each in self.suspects)
            if not (is_later and is_known):
                yield head, good, is_later

    def beyond(self) -> Head | None:
        """Return the largest head that the ledger has not enough entries for."""
        return self._heads[-1] if self._place < len(self._heads) else None


def _differing(blocks: Sequence[Block], first: int) -> Iterator[tuple[int, int]]:
    """Yield stretches of blocks whose two roots are not the same."""
    begun: int | None = None
    for place, (computed, stored) in enumerate(blocks, first):
        differs = computed is not None and stored is not None and computed != stored
        if differs and begun is None:
            begun = place
        elif not differs and begun is not None:
            yield begun, place
            begun = None
    if begun is not None:
        yield begun, first + len(blocks)


def judged(
    suspects: Iterable[Suspect], known: Sequence[Finding], holes: Sequence[int]
) -> Iterator[Finding]:
    """Yield what suspects are, given what was found of the entries themselves.

    Args:
        suspects: stretches that do not lead to what was signed.
        known: findings, of which some may say why.
        holes: entries before which a number of their producer is missing.
    """
    placed = [
        (finding, finding.log_index or 0) for finding in known if finding.log_index is not None
    ]
    for first, last, detail, reach in suspects:
        if any(
            finding.kind in ("reordered", "deleted", "edited") and first <= index < last
            for finding, index in placed
        ):
            continue
        within = [index for index in holes if first <= index < reach]
        if within:
            yield Finding("deleted", min(within), f"entries before it are missing: {detail}.")
        else:
            yield Finding("edited", first, f"among entries {first} to {last - 1}: {detail}.")
