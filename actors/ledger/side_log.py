"""The side file: what the log has signed, once more, where the ledger's thief may not reach it.

One note behind the other, each followed by an empty line, in the order in which they were
signed. Only ever appended to; a copy that was shipped elsewhere is as good. A note that was cut
off, when the disk was full or the power failed, is written again whole behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from minutebook.domain.errors import InvalidNote, SigningFailed
from minutebook.domain.note import Note

_TAIL_BYTES: Final = 64 * 1024
_SIGNATURE: Final = "— "

# Base64 of a key's id and an Ed25519 signature.
_SIGNATURE_CHARACTERS_MIN: Final = 92


class SideNote(NamedTuple):
    """One piece of a side file."""

    line: int
    """Where it begins, from 1."""
    note: Note | None
    """The note, unless it is none."""
    cut_off: bool = False
    """Whether what is none was never whole: its last signature is missing, or too short."""


class SideLog:
    """Keeps a side file up to date with a ledger; only in the ledger's turn.

    Args:
        path: the file; made when missing, in a directory that exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self, connection: apsw.Connection) -> None:
        """Refuse when the file tells of more than the ledger has: nothing else may be signed then.

        Raises:
            SigningFailed: the ledger is an older copy, or another one.
            apsw.Error: the ledger cannot be read.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            # There is none yet, or it cannot be reached, which `catch_up` says.
            return
        try:
            self._last_number(connection, self._tail(descriptor))
        except OSError:
            return
        finally:
            os.close(descriptor)

    def catch_up(self, connection: apsw.Connection) -> None:
        """Append all notes of the ledger that the file does not have yet.

        Raises:
            SigningFailed: the ledger is an older copy, or another one.
            OSError: it cannot be written.
            apsw.Error: the ledger cannot be read.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            tail = self._tail(descriptor)
            rows = connection.execute(
                "SELECT note FROM signed_notes WHERE number > ? ORDER BY number",
                (self._last_number(connection, tail),),
            )
            new = "".join(f"{note}\n" for (note,) in rows)
            if tail and not tail.endswith("\n\n"):
                new = f"\n\n{new}"
            if new:
                data = new.encode("utf-8")
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _tail(self, descriptor: int) -> str:
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        return tail.decode("utf-8", "replace")

    def _last_number(self, connection: apsw.Connection, tail: str) -> int:
        """Return the number of the newest note that the file has; -1 for none."""
        for piece in reversed(list(_pieces(tail))):
            if piece.note is not None:
                number = connection.execute(
                    "SELECT max(number) FROM signed_notes WHERE note = ?", (piece.note.as_text(),)
                ).get
                if number is not None:
                    return int(number)
                msg = (
                    f"the side file {self.path} ends in what this ledger has not signed: the ledger"
                    " was cut, or replaced by an older copy; see what `minutebook verify` says, or"
                    " move the side file away."
                )
                raise SigningFailed(msg)
        return -1


def read_side_log(path: Path) -> list[SideNote]:
    """Return what a side file has.

    Raises:
        OSError: it cannot be read.
    """
    return list(_pieces(path.read_bytes().decode("utf-8", "replace")))


def _pieces(text: str) -> Iterator[SideNote]:
    chunks = text.split("\n\n")
    line, place = 1, 0
    while place < len(chunks):
        taken = chunks[place : place + 2]
        if len(taken) < 2 or not taken[1].startswith(_SIGNATURE):
            # No signatures follow: what stands here was cut off, unless it is nothing.
            taken = taken[:1]
        whole = "\n\n".join(taken)
        start = line + len(whole) - len(whole.lstrip("\n"))
        if whole.strip("\n"):
            yield _piece(start, whole.strip("\n"))
        line += whole.count("\n") + 2
        place += len(taken)


def _piece(line: int, text: str) -> SideNote:
    whole = len(text.rpartition(" ")[2]) >= _SIGNATURE_CHARACTERS_MIN and _SIGNATURE in text
    try:
        note = Note.of_text(text + "\n")
    except InvalidNote:
        return SideNote(line, None, cut_off=not whole)
    return SideNote(line, note) if whole else SideNote(line, None, cut_off=True)
