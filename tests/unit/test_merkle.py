"""The Merkle tree of RFC 6962 and RFC 9162, against a naive one and against published vectors."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minutebook.domain.entry import leaf_hash
from minutebook.domain.merkle import (
    EMPTY,
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

SIZES_MAX = 1000

# Inputs, roots and proofs of the certificate-transparency reference implementation, as
# published in https://github.com/google/certificate-transparency/blob/master/cpp/merkletree/
# merkle_tree_test.cc and https://github.com/transparency-dev/merkle/tree/main/testdata.
CT_LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
CT_INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CT_CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


class Naive:
    """The definitions of RFC 6962, section 2.1, written down as they stand there."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.root = cache(self._root)

    def _root(self, first: int, last: int) -> bytes:
        if first == last:
            return EMPTY_ROOT
        if last - first == 1:
            return self.leaves[first]
        middle = first + split(last - first)
        return node_hash(self.root(first, middle), self.root(middle, last))

    def path(self, index: int, first: int, last: int) -> list[bytes]:
        if last - first == 1:
            return []
        middle = first + split(last - first)
        if index < middle:
            return [*self.path(index, first, middle), self.root(middle, last)]
        return [*self.path(index, middle, last), self.root(first, middle)]

    def subproof(self, old: int, first: int, last: int, *, known: bool) -> list[bytes]:
        if old == last - first:
            return [] if known else [self.root(first, last)]
        k = split(last - first)
        if old <= k:
            proof = self.subproof(old, first, first + k, known=known)
            return [*proof, self.root(first + k, last)]
        proof = self.subproof(old - k, first + k, last, known=False)
        return [*proof, self.root(first, first + k)]

    def node(self, level: int, position: int) -> bytes:
        return self.root(position << level, (position + 1) << level)


def split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def naive(size: int, seed: int = 0) -> Naive:
    chance = random.Random(seed)
    return Naive([chance.randbytes(32) for _ in range(size)])


def test_roots_and_ranges_of_all_sizes_are_those_of_the_definition() -> None:
    tree = naive(SIZES_MAX)
    grown = EMPTY
    for size in range(SIZES_MAX + 1):
        assert grown.root() == tree.root(0, size)
        assert CompactRange.of_nodes(size, tree.node) == grown
        assert CompactRange.of_bytes(size, grown.as_bytes()) == grown
        if size < SIZES_MAX:
            grown, _ = grown.extended(tree.leaves[size : size + 1])


def test_proofs_of_all_sizes_are_those_of_the_definition_and_verify() -> None:
    """Each size with some of its leaves and of the smaller trees; the ends always."""
    tree, chance = naive(SIZES_MAX), random.Random(1)
    for size in range(1, SIZES_MAX + 1):
        root = tree.root(0, size)
        for index in {0, size - 1, *(chance.randrange(size) for _ in range(3))}:
            proof = inclusion_proof(index, size, tree.node)
            assert proof == tree.path(index, 0, size)
            assert verify_inclusion(tree.leaves[index], index, size, proof, root)
        for old in {1, size, *(chance.randrange(1, size + 1) for _ in range(3))}:
            proof = consistency_proof(old, size, tree.node)
            assert proof == tree.subproof(old, 0, size, known=True)
            assert verify_consistency(old, tree.root(0, old), size, root, proof)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=8), st.integers(0, 2**32))
def test_batches_of_any_size_grow_the_same_tree(batches: list[int], seed: int) -> None:
    tree = naive(sum(batches), seed)
    grown, nodes = EMPTY, {}
    for count in batches:
        first = grown.size
        grown, completed = grown.extended(tree.leaves[first : first + count])
        for level, position, hashes in completed:
            for offset, node in enumerate(hashes):
                assert (level, position + offset) not in nodes
                nodes[level, position + offset] = node
    size = sum(batches)
    assert grown.root() == tree.root(0, size)
    expected = {
        (level, position)
        for level in range(1, size.bit_length())
        for position in range(size >> level)
    }
    assert nodes.keys() == expected
    assert all(node == tree.node(*place) for place, node in nodes.items())


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_large_trees_prove_and_what_is_changed_does_not(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 5000), "size")
    tree = naive(size, data.draw(st.integers(0, 2**32), "seed"))
    root, index = tree.root(0, size), data.draw(st.integers(0, size - 1), "index")
    old = data.draw(st.integers(1, size - 1), "old")
    included = inclusion_proof(index, size, tree.node)
    consistent = consistency_proof(old, size, tree.node)
    leaf, old_root = tree.leaves[index], tree.root(0, old)
    assert verify_inclusion(leaf, index, size, included, root)
    assert verify_consistency(old, old_root, size, root, consistent)

    at = data.draw(st.integers(0, len(included) - 1), "changed hash")
    changed = [*included[:at], bytes(32), *included[at + 1 :]]
    assert not verify_inclusion(leaf, index, size, changed, root)
    assert not verify_inclusion(bytes(32), index, size, included, root)
    assert not verify_inclusion(leaf, index, size, included[:-1], root)
    assert not verify_inclusion(leaf, index, size, [*included, root], root)
    assert not verify_inclusion(leaf, size, size, included, root)
    assert not verify_consistency(old, bytes(32), size, root, consistent)
    assert not verify_consistency(old, old_root, size, bytes(32), consistent)
    assert not verify_consistency(old, old_root, size, root, consistent[:-1])
    assert not verify_consistency(old, old_root, size, root, [*consistent, root])
    assert not verify_consistency(size, root, old, old_root, consistent)


def test_the_published_roots_and_proofs_are_reproduced() -> None:
    tree = Naive(CT_LEAVES)
    for size, root in enumerate(CT_ROOTS):
        assert EMPTY.extended(CT_LEAVES[:size])[0].root() == root
    for index, size, hexes in CT_INCLUSION:
        proof = [bytes.fromhex(text) for text in hexes]
        assert inclusion_proof(index, size, tree.node) == proof
        assert verify_inclusion(CT_LEAVES[index], index, size, proof, CT_ROOTS[size])
    for old, new, hexes in CT_CONSISTENCY:
        proof = [bytes.fromhex(text) for text in hexes]
        assert consistency_proof(old, new, tree.node) == proof
        assert verify_consistency(old, CT_ROOTS[old], new, CT_ROOTS[new], proof)


def test_every_tree_begins_with_the_empty_one_and_with_itself() -> None:
    assert consistency_proof(0, 5, Naive(CT_LEAVES).node) == []
    assert verify_consistency(0, EMPTY_ROOT, 5, CT_ROOTS[5], [])
    assert verify_consistency(5, CT_ROOTS[5], 5, CT_ROOTS[5], [])
    assert not verify_consistency(5, CT_ROOTS[5], 5, CT_ROOTS[4], [])
    assert not verify_consistency(0, CT_ROOTS[1], 5, CT_ROOTS[5], [])


def test_what_makes_no_sense_is_refused() -> None:
    node = Naive(CT_LEAVES).node
    with pytest.raises(ValueError, match="no leaf 8"):
        inclusion_proof(8, 8, node)
    with pytest.raises(ValueError, match="cannot begin with"):
        consistency_proof(6, 5, node)
    with pytest.raises(ValueError, match="no compact range"):
        CompactRange.of_bytes(3, bytes(32))
