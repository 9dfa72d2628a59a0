"""What stays of entries that were pruned, and the signed statement that tells it.

Of each entry stay its place, its id, its leaf hash and its producer's number: enough for every
proof of what remains, and for every count. An ``audit.pruned`` in the same transaction carries a
signed note over all of them: rows that somebody else puts there are known by its absence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import orjson

from minutebook.domain.errors import InvalidNote
from minutebook.domain.note import decoded_hash, decoded_number, encoded_hash

HEADER: Final = "minutebook/pruning@v1"
"""First line of such a note; no checkpoint's origin."""

PRUNED: Final = "audit.pruned"
"""The type of the events that tell it."""

KEPT_TYPES: Final = (
    PRUNED,
    "audit.sealed",
    "audit.archived",
    "hold.placed",
    "hold.lifted",
    "subject.forgotten",
)
"""Types that are never pruned: they explain what the ledger is; its triggers say so, too."""


class Tombstone(NamedTuple):
    """What stays of an entry."""

    log_index: int
    """Its place."""
    id: str
    """Its id: told again, it is known."""
    recorded_at: int
    """When it was committed: microseconds since the epoch, UTC."""
    producer: str
    """Who told it."""
    producer_seq: int
    """Its number among all of the producer's."""
    next_seq: int
    """The number after it: an ``audit.gap`` may stand for several."""
    leaf_hash: bytes
    """32 bytes."""


class PruningStatement(NamedTuple):
    """The text of the note in an ``audit.pruned``."""

    origin: str
    """Which log it is of."""
    told_at: int
    """Index of that entry."""
    gone: int
    """How many entries went."""
    digest: bytes
    """See `digest_of`."""

    def as_text(self) -> str:
        """Return the note's text."""
        lines = (
            HEADER,
            self.origin,
            str(self.told_at),
            str(self.gone),
            encoded_hash(self.digest),
        )
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def of_text(cls, text: str) -> PruningStatement:
        """Return the statement that a note's text is.

        Raises:
            InvalidNote: it is none.
        """
        lines = text.split("\n")
        if len(lines) != 6 or lines[0] != HEADER or lines[5]:
            msg = "this is no statement of what was pruned; take another note."
            raise InvalidNote(msg)
        _, origin, told_at, gone, digest, _ = lines
        return cls(origin, decoded_number(told_at), decoded_number(gone), decoded_hash(digest))


def digest_of(tombstones: Iterable[Tombstone]) -> tuple[int, bytes]:
    """Return how many there are, and the SHA-256 of a line of JSON for each, by index."""
    count, sha256 = 0, hashlib.sha256()
    for stone in tombstones:
        sha256.update(orjson.dumps([*stone[:-1], stone.leaf_hash.hex()]) + b"\n")
        count += 1
    return count, sha256.digest()
