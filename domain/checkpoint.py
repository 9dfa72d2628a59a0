"""Checkpoints: the head of a log's tree as a signed note, https://c2sp.org/tlog-checkpoint."""

from __future__ import annotations

from typing import NamedTuple

from minutebook.domain.errors import InvalidNote
from minutebook.domain.note import decoded_hash, decoded_number, encoded_hash


class Checkpoint(NamedTuple):
    """The text of such a note."""

    origin: str
    """Which log it is of."""
    size: int
    """How many entries the log has."""
    root: bytes
    """Root of their tree: 32 bytes."""
    extensions: tuple[str, ...] = ()
    """Further lines, of which nothing is known here; never written by Minutebook."""

    def as_text(self) -> str:
        """Return the note's text."""
        lines = (self.origin, str(self.size), encoded_hash(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def of_text(cls, text: str) -> Checkpoint:
        """Return the checkpoint that a note's text is.

        Raises:
            InvalidNote: it is none.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            msg = "this is no checkpoint: origin, size and root, a line each; take another note."
            raise InvalidNote(msg)
        origin, size, root, *extensions = lines
        return cls(origin, decoded_number(size), decoded_hash(root), tuple(extensions))
