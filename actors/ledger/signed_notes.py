"""What a log has signed, as its ledger and its side files have it: read, and judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from minutebook.actors.ledger.ed25519 import verify_signature
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.errors import InvalidNote
from minutebook.domain.finding import Finding
from minutebook.domain.log_key import KeyRing, LogKey, is_announcement, key_ring
from minutebook.domain.note import COSIGNATURE, Note, VerifierKey
from minutebook.domain.tree_check import Head


class StoredNote(NamedTuple):
    """A row of the table ``signed_notes``."""

    number: int
    """From 0, without holes."""
    kind: str
    """``checkpoint`` or ``key``."""
    size: int
    """What it says of the log's size."""
    text: str
    """The note."""


class FoundNote(NamedTuple):
    """A note, wherever it was found."""

    where: str
    """In words."""
    note: Note | None
    """``None`` when what was found is no note."""
    stored: StoredNote | None = None
    """Its row, when it is in the ledger."""


@dataclass
class Trust:
    """Which keys a verifier goes by."""

    origin: str
    """Of the log."""
    ring: KeyRing
    """Keys that sign for it."""
    witnesses: tuple[VerifierKey, ...] = ()
    """Keys of others, who cosign."""


@dataclass
class Judged:
    """What came of all notes."""

    findings: list[Finding] = field(default_factory=list)
    """What is wrong with notes by themselves."""
    heads: list[Head] = field(default_factory=list)
    """What was signed by keys that are known."""
    in_ledger: int = 0
    """How many of them the ledger has."""
    only_outside: list[tuple[Head, str]] = field(default_factory=list)
    """Which of those the ledger does not have, and where they were found."""


def trust(
    ledger_origin: str,
    found: Sequence[FoundNote],
    given: Iterable[VerifierKey],
) -> Trust:
    """Return which keys to go by.

    Those that are given; else the first that a side file announces, for it may lie where the
    ledger's writer cannot reach it; else the first that the ledger announces.

    Args:
        ledger_origin: the origin that the ledger says.
        found: all notes, those of side files first.
        given: by whoever verifies.
    """
    keys = list(given)
    witnesses = tuple(key for key in keys if key.kind == COSIGNATURE)
    anchors = [key for key in keys if key.kind != COSIGNATURE]
    announcements = [piece.note for piece in found if piece.note and is_announcement(piece.note)]
    said = [LogKey.of_text(note.text) for note in announcements if _is_readable(note)]
    if anchors:
        origins = [each.origin for each in said if each.key in anchors]
    else:
        anchors = [said[0].key] if said else []
        origins = [said[0].origin] if said else []
    origin = origins[0] if origins else ledger_origin
    ring = key_ring(anchors, announcements, origin, verify_signature)
    return Trust(origin, ring, witnesses)


def _is_readable(note: Note) -> bool:
    try:
        LogKey.of_text(note.text)
    except InvalidNote:
        return False
    return True


def judge(found: Iterable[FoundNote], trusted: Trust) -> Judged:
    """Look at each note's form and signatures, and collect what was signed."""
    judged = Judged()
    stored = [piece.stored for piece in found if piece.stored is not None]
    judged.findings += _misnumbered(stored)
    in_ledger: set[str] = set()
    for piece in found:
        if piece.note is None:
            detail = f"what is {piece.where} is no signed note."
            judged.findings.append(Finding("bad_signature", None, detail))
        elif is_announcement(piece.note):
            judged.findings += _announcement(piece, piece.note, trusted)
        else:
            head = _head(piece, piece.note, trusted, judged.findings)
            if head is None:
                continue
            judged.heads.append(head)
            if piece.stored is not None:
                in_ledger.add(piece.note.text)
    judged.in_ledger = len(in_ledger)
    if len(in_ledger) < sum(row.kind == "checkpoint" for row in stored):
        # What the ledger has in its place is named already.
        return judged
    texts: dict[str, str] = {}
    for piece in found:
        if piece.stored is None and piece.note is not None:
            texts.setdefault(piece.note.text, piece.where)
    for head in judged.heads:
        text = Checkpoint(trusted.origin, head.size, head.root).as_text()
        if text not in in_ledger and text in texts:
            judged.only_outside.append((head, texts[text]))
    return judged


def _misnumbered(stored: Sequence[StoredNote]) -> Iterable[Finding]:
    expected, newest = 0, -1
    for row in stored:
        if row.number != expected:
            detail = f"what the log has signed as number {expected} is not in the ledger any more."
            yield Finding("deleted", None, detail)
        expected = row.number + 1
        if row.kind != "checkpoint":
            continue
        if row.size <= newest:
            detail = (
                f"the checkpoint of {row.size} entries, number {row.number}, stands behind one of"
                f" {newest}: an old one was put there again."
            )
            yield Finding("reordered", None, detail)
        newest = max(newest, row.size)


def _announcement(piece: FoundNote, note: Note, trusted: Trust) -> Iterable[Finding]:
    try:
        said = LogKey.of_text(note.text)
    except InvalidNote as error:
        yield Finding("bad_signature", None, f"the announcement of a key {piece.where}: {error}")
        return
    signers = [said.key] if said.before is None else [said.key, said.before]
    good, bad = note.signers(signers, verify_signature)
    name = f"key {said.key.as_text()}, announced {piece.where},"
    if bad or said.key not in good:
        yield Finding("bad_signature", None, f"{name} did not sign its announcement as it stands.")
    elif said.origin != trusted.origin:
        yield Finding("unknown_key", None, f"{name} is of another log, {said.origin}.")
    elif said.key not in trusted.ring.keys:
        yield Finding("unknown_key", None, f"{name} is endorsed by no key that is trusted.")


def _head(piece: FoundNote, note: Note, trusted: Trust, findings: list[Finding]) -> Head | None:
    try:
        checkpoint = Checkpoint.of_text(note.text)
    except InvalidNote as error:
        findings.append(Finding("bad_signature", None, f"the note {piece.where}: {error}"))
        return None
    name = f"the checkpoint of {checkpoint.size} entries {piece.where}"
    keys = (*trusted.ring.keys, *trusted.witnesses)
    good, bad = note.signers(keys, verify_signature)
    problem: Finding | None = None
    if bad:
        detail = f"{name} is not what {bad[0].as_text()} signed."
        problem = Finding("bad_signature", None, detail)
    elif not good:
        problem = Finding("unknown_key", None, f"{name} is signed by no key that is trusted.")
    elif checkpoint.origin != trusted.origin:
        detail = f"{name} is of another log, {checkpoint.origin}."
        problem = Finding("bad_signature", None, detail)
    elif not any(
        key.kind == COSIGNATURE or trusted.ring.may_sign(key, checkpoint.size) for key in good
    ):
        detail = f"{name} is signed by {good[0].as_text()}, which did not sign for the log then."
        problem = Finding("unknown_key", None, detail)
    elif piece.stored is not None and piece.stored.size != checkpoint.size:
        detail = f"{name} stands in a row that says {piece.stored.size}."
        problem = Finding("edited", None, detail)
    if problem is not None:
        findings.append(problem)
        return None
    return Head(checkpoint.size, checkpoint.root, piece.where)
