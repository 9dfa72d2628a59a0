"""Proofs as files that anybody can check who has the log's public key.

An entry's is a ``.tlog-proof``, https://c2sp.org/tlog-proof; its *extra data* is the leaf input,
so that the file shows what it proves. That of a log's growth is laid out as what a witness is
sent, https://c2sp.org/tlog-witness.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from minutebook.domain.errors import InvalidNote
from minutebook.domain.note import (
    Note,
    decoded_base64,
    decoded_hash,
    decoded_number,
    encoded_hash,
)

HEADER: Final = "c2sp.org/tlog-proof@v1"
"""First line of an entry's proof."""

HASHES_MAX: Final = 63
"""Most hashes of a proof: no log is larger than 2^63."""


class EntryProof(NamedTuple):
    """That an entry is in the log at a checkpoint."""

    log_index: int
    """The entry's place."""
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up to the root's child."""
    checkpoint: Note
    """The signed head of the tree that it is in."""
    extra: bytes | None = None
    """The leaf input, unless the proof was made by somebody else."""

    def as_text(self) -> str:
        """Return the file."""
        extra = "" if self.extra is None else f"extra {encoded_hash(self.extra)}\n"
        hashes = "".join(f"{encoded_hash(digest)}\n" for digest in self.hashes)
        return f"{HEADER}\n{extra}index {self.log_index}\n{hashes}\n{self.checkpoint.as_text()}"

    @classmethod
    def of_text(cls, text: str) -> EntryProof:
        """Return the proof that a file holds.

        Raises:
            InvalidNote: it holds none.
        """
        head, note = _parts(text)
        if not head or head.pop(0) != HEADER:
            msg = f"this is no proof: it does not begin with {HEADER}; give a .tlog-proof file."
            raise InvalidNote(msg)
        extra = None
        if head and head[0].startswith("extra "):
            extra = decoded_base64(head.pop(0).removeprefix("extra "))
        return cls(_numbered(head, "index"), _hashes(head), note, extra)


class GrowthProof(NamedTuple):
    """That a log at a checkpoint begins with all that it had at an older one."""

    old_size: int
    """How many entries it had."""
    hashes: tuple[bytes, ...]
    """As in RFC 6962, section 2.1.2."""
    checkpoint: Note
    """The newer head."""

    def as_text(self) -> str:
        """Return the file."""
        hashes = "".join(f"{encoded_hash(digest)}\n" for digest in self.hashes)
        return f"old {self.old_size}\n{hashes}\n{self.checkpoint.as_text()}"

    @classmethod
    def of_text(cls, text: str) -> GrowthProof:
        """Return the proof that a file holds.

        Raises:
            InvalidNote: it holds none.
        """
        head, note = _parts(text)
        return cls(_numbered(head, "old"), _hashes(head), note)


def _parts(text: str) -> tuple[list[str], Note]:
    head, _, note = text.partition("\n\n")
    return head.split("\n"), Note.of_text(note)


def _numbered(head: list[str], word: str) -> int:
    line = head.pop(0) if head else ""
    if not line.startswith(f"{word} "):
        msg = f"this proof has no line {word!r}; take the file as it was written."
        raise InvalidNote(msg)
    return decoded_number(line.removeprefix(f"{word} "))


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > HASHES_MAX:
        msg = f"this proof has more than {HASHES_MAX} hashes; take the file as it was written."
        raise InvalidNote(msg)
    return tuple(map(decoded_hash, lines))
