"""The Merkle tree of a log: RFC 6962, section 2.1, and RFC 9162, section 2.1.

A tree over ``size`` leaves is known by its root. What a log keeps to go on is the *compact
range*: the roots of the complete subtrees that its size is the sum of, largest first. A
*node* is the root of a complete subtree: at level ``l`` and position ``p`` that of the leaves
from ``p << l`` up to ``p + 1 << l``; the leaves themselves are level 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

HASH_BYTES: Final = 32
"""Of each hash: SHA-256."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

NodeAt = Callable[[int, int], bytes]
"""Returns a node, given its level and position."""


class Completed(NamedTuple):
    """Nodes of one level that became complete, side by side."""

    level: int
    """Of all of them; at least 1."""
    position: int
    """Of the first."""
    hashes: list[bytes]
    """In order."""


class CompactRange(NamedTuple):
    """What a log keeps of its tree in order to go on."""

    size: int
    """How many leaves there are."""
    hashes: tuple[bytes, ...]
    """Roots of the complete subtrees, largest first: one for each bit of ``size``."""

    def root(self) -> bytes:
        """Return the root of the tree."""
        return folded(self.hashes)

    def extended(self, leaves: Sequence[bytes]) -> tuple[CompactRange, list[Completed]]:
        """Return the range with more leaves, and the nodes that they completed.

        Args:
            leaves: leaf hashes, in order.
        """
        # Level by level over the whole batch: a list of hashes costs half of a leaf at a time.
        sha256, size = hashlib.sha256, self.size
        before, kept = list(self.hashes), []
        completed: list[Completed] = []
        nodes, level = list(leaves), 0
        while nodes:
            if size >> level & 1:
                nodes.insert(0, before.pop())
            if len(nodes) & 1:
                kept.append(nodes[-1])
            nodes = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(nodes[::2], nodes[1::2], strict=False)
            ]
            level += 1
            if nodes:
                completed.append(Completed(level, size >> level, list(nodes)))
        return CompactRange(size + len(leaves), (*before, *reversed(kept))), completed

    def as_bytes(self) -> bytes:
        """Return the hashes, one behind the other."""
        return b"".join(self.hashes)

    @classmethod
    def of_bytes(cls, size: int, data: bytes) -> CompactRange:
        """Return what `as_bytes` was made of.

        Raises:
            ValueError: so many bytes belong to no tree of this size.
        """
        if size < 0 or len(data) != size.bit_count() * HASH_BYTES:
            msg = f"{len(data)} bytes are no compact range of {size} leaves."
            raise ValueError(msg)
        starts = range(0, len(data), HASH_BYTES)
        return cls(size, tuple(data[start : start + HASH_BYTES] for start in starts))

    @classmethod
    def of_nodes(cls, size: int, node: NodeAt) -> CompactRange:
        """Return the range of the first ``size`` leaves of a tree whose nodes are known."""
        return cls(size, tuple(node(*place) for place in complete_subtrees(0, size)))


EMPTY: Final = CompactRange(0, ())
"""The range of the tree without leaves."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return ``SHA-256(0x01 || left || right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def folded(hashes: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees that stand side by side, largest first."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def complete_subtrees(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield level and position of the subtrees that make up a stretch of leaves.

    Args:
        first: where it begins: a multiple of the largest power of two that fits into it.
        last: where it ends, exclusive.
    """
    while first < last:
        level = (last - first).bit_length() - 1
        yield level, first >> level
        first += 1 << level


def inclusion_proof(index: int, size: int, node: NodeAt) -> list[bytes]:
    """Return the proof that a leaf is in a tree, from its sibling upwards.

    Args:
        index: the leaf's.
        size: the tree's.
        node: of that tree, or of a larger one.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        msg = f"a tree of {size} leaves has no leaf {index}."
        raise ValueError(msg)
    return _path(index, 0, size, node)


def _path(index: int, first: int, last: int, node: NodeAt) -> list[bytes]:
    proof = []
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            proof.append(_stretch(middle, last, node))
            last = middle
        else:
            proof.append(_stretch(first, middle, node))
            first = middle
    return proof[::-1]


def consistency_proof(old_size: int, new_size: int, node: NodeAt) -> list[bytes]:
    """Return the proof that a tree begins with all of a smaller one.

    Args:
        old_size: of the smaller tree; of size 0 and for equal ones the proof is empty.
        new_size: of the larger one.
        node: of the larger tree, or of a still larger one.

    Raises:
        ValueError: the first is not the smaller one.
    """
    if not 0 <= old_size <= new_size:
        msg = f"a tree of {new_size} leaves cannot begin with one of {old_size}."
        raise ValueError(msg)
    proof: list[bytes] = []
    if old_size in (0, new_size):
        return proof
    first, last = 0, new_size
    while last != old_size:
        middle = first + _split(last - first)
        if old_size <= middle:
            proof.append(_stretch(middle, last, node))
            last = middle
        else:
            proof.append(_stretch(first, middle, node))
            first = middle
    if first:
        proof.append(_stretch(first, last, node))
    return proof[::-1]


def _split(size: int) -> int:
    """Return the largest power of two that is smaller."""
    return 1 << ((size - 1).bit_length() - 1)


def _stretch(first: int, last: int, node: NodeAt) -> bytes:
    return folded([node(*place) for place in complete_subtrees(first, last)])


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Iterable[bytes], root: bytes
) -> bool:
    """Tell whether a leaf is at a place in a tree: RFC 9162, section 2.1.3.2.

    Args:
        leaf: its hash.
        index: its place.
        size, root: the tree's.
    """
    if not 0 <= index < size:
        return False
    place, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            computed = node_hash(sibling, computed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and computed == root


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether a tree begins with all of a smaller one: RFC 9162, section 2.1.4.2."""
    if not 0 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    hashes = list(proof)
    if old_size.bit_count() == 1:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root
