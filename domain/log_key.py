"""Which keys a log signs with: each is announced in a note that the key before it endorses.

The text of such a note has five lines: what it is, the log's origin, the vkey, how many entries
the log had when the key came into use, and the vkey before it, or ``none`` for the first. It is
signed by the key itself, and by the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from minutebook.domain.errors import InvalidNote
from minutebook.domain.note import Note, VerifierKey, VerifySignature, decoded_number

HEADER: Final = "minutebook/log-key@v1"
"""First line of such a note; no checkpoint's origin."""

_NONE: Final = "none"


class LogKey(NamedTuple):
    """The text of such a note."""

    origin: str
    """Which log it signs for."""
    key: VerifierKey
    """The key."""
    since: int
    """Size of the log from which on it signs."""
    before: VerifierKey | None
    """The key that it takes the place of."""

    def as_text(self) -> str:
        """Return the note's text."""
        before = _NONE if self.before is None else self.before.as_text()
        return f"{HEADER}\n{self.origin}\n{self.key.as_text()}\n{self.since}\n{before}\n"

    @classmethod
    def of_text(cls, text: str) -> LogKey:
        """Return the announcement that a note's text is.

        Raises:
            InvalidNote: it is none.
        """
        lines = text.split("\n")
        if len(lines) != 6 or lines[0] != HEADER or lines[5]:
            msg = "this is no announcement of a log's key; take another note."
            raise InvalidNote(msg)
        _, origin, key, since, before, _ = lines
        return cls(
            origin,
            VerifierKey.of_text(key),
            decoded_number(since),
            None if before == _NONE else VerifierKey.of_text(before),
        )


def is_announcement(note: Note) -> bool:
    """Tell whether a note announces a key, and is no checkpoint."""
    return note.text.startswith(f"{HEADER}\n")


class KeyRing(NamedTuple):
    """The keys that may sign for a log, and from when to when."""

    spans: tuple[tuple[VerifierKey, int, int | None], ...]
    """Each key with the size from which on it signs, and that at which another took its place."""

    def may_sign(self, key: VerifierKey, size: int) -> bool:
        """Tell whether a checkpoint of that size may be the key's."""
        return any(
            known == key and since <= size and (until is None or size <= until)
            for known, since, until in self.spans
        )

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """All of them, whenever they signed."""
        return tuple(key for key, _, _ in self.spans)


def key_ring(
    trusted: Iterable[VerifierKey], notes: Iterable[Note], origin: str, verify: VerifySignature
) -> KeyRing:
    """Return the keys that follow from those which are trusted.

    A trusted key vouches for the one that took its place, and for the one before it, whose
    announcement it has signed as well.

    Args:
        trusted: where to begin.
        notes: announcements, in the log's order; those that are not signed as they should be
            are passed over.
        origin: the log's.
        verify: see `VerifySignature`.
    """
    links = [link for link in map(_read, notes) if link is not None and link[1].origin == origin]
    announced = [said for note, said in links if _is_endorsed(note, said, verify)]
    known = list(dict.fromkeys(trusted))
    grown = True
    while grown:
        grown = False
        for said in announced:
            for one, other in ((said.before, said.key), (said.key, said.before)):
                if one in known and other is not None and other not in known:
                    known.append(other)
                    grown = True
    since = {said.key: said.since for said in reversed(announced)}
    until = {said.before: said.since for said in reversed(announced)}
    return KeyRing(tuple((key, since.get(key, 0), until.get(key)) for key in known))


def _read(note: Note) -> tuple[Note, LogKey] | None:
    try:
        return note, LogKey.of_text(note.text)
    except InvalidNote:
        return None


def _is_endorsed(note: Note, said: LogKey, verify: VerifySignature) -> bool:
    wanted = [said.key] if said.before is None else [said.key, said.before]
    good, _ = note.signers(wanted, verify)
    return good == wanted
