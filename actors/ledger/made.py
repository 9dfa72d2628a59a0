"""Which checkpoints a system's writer has signed, as the ledger says: it may be another process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import apsw

from minutebook.actors.ledger.reading import LedgerFile
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.note import Note

_BUSY_TIMEOUT_S = 5.0


class Made(NamedTuple):
    """A checkpoint that was signed."""

    number: int
    """Of its note, among all that the log has signed."""
    checkpoint: Checkpoint
    """What was signed."""
    key: str
    """Name and id of the key, as they begin its vkey."""


class MadeCheckpoints:
    """Reads the checkpoints of one producer, each once; used by one thread.

    Args:
        path: the ledger's file.
        producer: on whose behalf they were signed.
    """

    def __init__(self, path: Path, producer: str) -> None:
        self._path = path
        self._producer = producer
        self._told = -1
        self.newest_size = 0
        """Size of the newest checkpoint of any producer, as last read."""

    def read(self) -> list[Made]:
        """Return those that were not noted as told, in order.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        file = LedgerFile(self._path, busy_timeout_s=_BUSY_TIMEOUT_S)
        try:
            self.newest_size, rows = file.run(self._read)
        finally:
            file.close()
        return [_made(number, Note.of_text(text)) for number, text in rows]

    def note_told(self, made: Made) -> None:
        """Return it no more."""
        self._told = made.number

    def _read(self, connection: apsw.Connection) -> tuple[int, list[tuple[int, str]]]:
        newest = connection.execute(
            "SELECT coalesce(max(size), 0) FROM signed_notes WHERE kind = 'checkpoint'"
        ).get
        rows = connection.execute(
            "SELECT number, note FROM signed_notes"
            " WHERE kind = 'checkpoint' AND producer = ? AND number > ? ORDER BY number",
            (self._producer, self._told),
        )
        return int(newest), [(int(number), str(note)) for number, note in rows]


def _made(number: int, note: Note) -> Made:
    (signature,) = note.signatures
    key = f"{signature.name}+{signature.key_id.hex()}"
    return Made(number, Checkpoint.of_text(note.text), key)
