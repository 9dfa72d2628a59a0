"""Making proofs from a ledger."""

from __future__ import annotations

from pathlib import Path

import apsw

from minutebook.actors.ledger.reader import LedgerReader
from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.tree import StoredNodes
from minutebook.domain.entry import leaf_input
from minutebook.domain.errors import NotYetProvable
from minutebook.domain.log_proof import EntryProof, GrowthProof
from minutebook.domain.merkle import consistency_proof, inclusion_proof
from minutebook.domain.note import Note

_BUSY_TIMEOUT_S = 5.0


class Prover:
    """Makes proofs; ``with Prover(path) as prover: ...``. Only reads.

    Args:
        path: the ledger's file.

    Raises:
        LedgerError: of the kind that fits.
    """

    def __init__(self, path: Path) -> None:
        self._reader = LedgerReader(path)
        self._file = LedgerFile(path, busy_timeout_s=_BUSY_TIMEOUT_S)

    def __enter__(self) -> Prover:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._file.close()

    def entry(self, name: str) -> EntryProof:
        """Return the proof that an entry is in the log, at its newest checkpoint.

        Args:
            name: the entry's id, or the beginning of it, or its index.

        Raises:
            EntryNotFound, AmbiguousEntry, InvalidQuery: as they say.
            NotYetProvable: no checkpoint covers it.
        """
        entry = self._reader.get(name)

        def read(connection: apsw.Connection) -> EntryProof:
            size, note = _checkpoint(connection, None)
            if size <= entry.log_index:
                raise _not_yet(f"entry {entry.log_index}", size)
            hashes = inclusion_proof(entry.log_index, size, StoredNodes(connection))
            data = leaf_input(entry.recorded_at, entry.body)
            return EntryProof(entry.log_index, tuple(hashes), note, data)

        return self._file.run(read)

    def growth(self, old_size: int, new_size: int | None = None) -> GrowthProof:
        """Return the proof that the log begins with what it had.

        Args:
            old_size: how many entries it had.
            new_size: of the newer checkpoint; the newest when not given.

        Raises:
            NotYetProvable: there is no such checkpoint.
        """

        def read(connection: apsw.Connection) -> GrowthProof:
            size, note = _checkpoint(connection, new_size)
            if size < old_size:
                raise _not_yet(f"what it had at {old_size}", size)
            hashes = consistency_proof(old_size, size, StoredNodes(connection))
            return GrowthProof(old_size, tuple(hashes), note)

        return self._file.run(read)

    def notes(self, kind: str) -> list[Note]:
        """Return what the log has signed.

        Args:
            kind: ``checkpoint`` or ``key``.
        """

        def read(connection: apsw.Connection) -> list[Note]:
            rows = connection.execute(
                "SELECT note FROM signed_notes WHERE kind = ? ORDER BY number", (kind,)
            )
            return [Note.of_text(row[0]) for row in rows]

        return self._file.run(read)


def _checkpoint(connection: apsw.Connection, size: int | None) -> tuple[int, Note]:
    found = connection.execute(
        "SELECT size, note FROM signed_notes WHERE kind = 'checkpoint' AND size = coalesce(?, size)"
        " ORDER BY number DESC LIMIT 1",
        (size,),
    ).fetchone()
    if found is None:
        raise _not_yet("the ledger" if size is None else f"exactly {size} entries", 0)
    return int(found[0]), Note.of_text(found[1])


def _not_yet(what: str, size: int) -> NotYetProvable:
    return NotYetProvable(
        f"no signed checkpoint covers {what}; the newest is of {size} entries. One is signed every"
        " checkpoint_interval seconds, and when a system is closed: try again after that."
    )
