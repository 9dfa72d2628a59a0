"""Verifying a segment: with the file and a public key, and nothing else."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from minutebook.actors.ledger.sealed_files import Header, Readable, read_header, read_record
from minutebook.actors.ledger.signed_notes import FoundNote, judge, trust
from minutebook.domain.entry import Record, leaf_hash, of_leaf_input
from minutebook.domain.errors import SegmentRefused
from minutebook.domain.finding import Finding, Report, in_order
from minutebook.domain.merkle import CompactRange
from minutebook.domain.note import VerifierKey

_LEAVES_AT_ONCE: Final = 4096


def verify_segment(path: Path, keys: Iterable[VerifierKey] = ()) -> Report:
    """Look at all of a segment, and say what is wrong with it.

    Args:
        path: the file; nothing else is needed.
        keys: whom to trust; else the first key that the segment announces.

    Raises:
        SegmentRefused: it is no segment, or cannot be read at all.
    """
    findings: list[Finding] = []
    try:
        with gzip.open(path, "rb") as segment:
            header = read_header(segment, path)
            found = [
                FoundNote("in the segment", note) for note in (*header.keys, header.checkpoint)
            ]
            trusted = trust(header.origin, found, tuple(keys))
            signed = judge(found, trusted)
            findings += signed.findings
            pruned, tree = _follow(segment, header, findings)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"segment {path}: {error}; take another copy of it."
        raise SegmentRefused(msg) from error
    if header.origin != trusted.origin:
        detail = f"it says that it is of {header.origin}, and was signed as {trusted.origin}."
        findings.append(Finding("edited", None, detail))
    held = 0
    for head in signed.heads:
        if tree is None:
            continue
        if (head.size, head.root) == (tree.size, tree.root()):
            held = head.size
        elif not findings:
            detail = (
                f"its entries, {header.first} to {header.end - 1}, do not lead to its checkpoint"
                f" of {head.size} entries."
            )
            findings.append(Finding("edited", header.first, detail))
    names = tuple(key.as_text() for key in (*trusted.ring.keys, *trusted.witnesses))
    entries = header.end - header.first - pruned
    return Report(entries, in_order(findings), held, names, pruned)


def _follow(
    segment: Readable, header: Header, findings: list[Finding]
) -> tuple[int, CompactRange | None]:
    """Look at each entry; return how many had been pruned, and the tree when all could be read."""
    pruned = 0
    tree = CompactRange(header.first, header.before)
    leaves: list[bytes] = []
    for index in range(header.first, header.end):
        try:
            leaf, data = read_record(segment)
        except EOFError:
            detail = f"it ends before entry {index}, and should have {header.end - 1} as its last."
            findings.append(Finding("truncated", index, detail))
            return pruned, None
        if not data:
            pruned += 1
        elif leaf_hash(data) != leaf or not _is_event(data):
            detail = "its stored bytes or its recorded_at are not those that its leaf hash is of."
            findings.append(Finding("edited", index, detail))
        leaves.append(leaf)
        if len(leaves) == _LEAVES_AT_ONCE:
            tree, leaves = tree.extended(leaves)[0], []
    if segment.read(1):
        findings.append(Finding("edited", None, "there is something behind its last entry."))
    return pruned, tree.extended(leaves)[0]


def _is_event(data: bytes) -> bool:
    try:
        Record.of(of_leaf_input(data)[1])
    except (ValueError, KeyError, TypeError):
        return False
    return True
