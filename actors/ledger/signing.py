"""Signing checkpoints of a ledger: when, with which key, and where they are kept.

Only what is committed is signed, in a transaction of its own: a batch that is rolled back and
committed again gets other times, and another tree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from minutebook.actors.ledger.clock import now_microseconds
from minutebook.actors.ledger.ed25519 import Signer, load
from minutebook.actors.ledger.side_log import SideLog
from minutebook.actors.ledger.signing_key import KeySource
from minutebook.actors.ledger.transactions import transaction
from minutebook.actors.ledger.tree import catch_up, read_head
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.log_key import LogKey
from minutebook.domain.note import Note, VerifierKey

logger = logging.getLogger("minutebook.audit")

CHECKPOINT_EVERY: Final = 4096
"""Default number of entries between two checkpoints."""

KEY_SUFFIX: Final = ".signing.key"
"""Behind the ledger's name: its private key."""

SIDE_LOG_SUFFIX: Final = ".checkpoints.log"
"""Behind the ledger's name: what it has signed."""

CHECKPOINTED: Final = "audit.checkpointed"
"""The type of the events that tell of checkpoints: those alone are no reason for another one."""


def origin_of(ledger_id: str) -> str:
    """Return the name of a ledger's log, which is also that of its keys."""
    return f"minutebook/{ledger_id}"


def new_signing(path: Path, description: dict[str, Any]) -> Signing:
    """Return what signs a ledger's checkpoints.

    Args:
        path: the ledger's.
        description: ``key_path``, ``key`` (which may be none), ``side_path`` and ``every``.
    """
    return Signing(
        path,
        KeySource(Path(description["key_path"]), description["key"]),
        SideLog(Path(description["side_path"])),
        every=description["every"],
    )


class Signed(NamedTuple):
    """A checkpoint that was signed."""

    number: int
    """Of its note, among all that the log has signed."""
    checkpoint: Checkpoint
    """What was signed."""
    key: VerifierKey
    """By which key."""


class Signing:
    """Signs the checkpoints of one ledger, for whoever writes it; used in the ledger's turn.

    Args:
        path: the ledger's, for messages.
        keys: the log's private key.
        side_log: what is signed goes there as well.
        every: how many entries there are between two checkpoints; 0 for any number.
        clock: microseconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        keys: KeySource,
        side_log: SideLog,
        *,
        every: int = CHECKPOINT_EVERY,
        clock: Callable[[], int] = now_microseconds,
    ) -> None:
        self._path = path
        self._keys = keys
        self._side_log = side_log
        self._every = every
        self._clock = clock
        load()
        self.producer = ""
        """On whose behalf it signs: that system tells of it."""
        self.due_at = 0
        """The ledger's size at which a checkpoint is due; looked at after each commit."""

    def sign(self, connection: apsw.Connection) -> Signed | None:
        """Sign the ledger as it is, unless nothing was added since the last time.

        Raises:
            SigningFailed: the key cannot be used, or the side file tells of more than is here.
            LedgerError: the tree is damaged.
            OSError: the side file cannot be written; the next checkpoint writes it.
            apsw.Error: as it says.
        """
        with transaction(connection):
            signed = self._sign(connection)
        if signed is not None:
            self._side_log.catch_up(connection)
        return signed

    def sign_if_due(self, connection: apsw.Connection, size: int) -> None:
        """Sign when enough was added; what goes wrong is logged, and tried again later.

        Args:
            size: of the ledger now.
        """
        if self._every == 0 or size < self.due_at:
            return
        self.due_at = size + self._every
        with self._only_logged():
            # Another process may have signed meanwhile.
            newest = connection.execute(
                "SELECT coalesce(max(size), 0) FROM signed_notes WHERE kind = 'checkpoint'"
            ).get
            if size >= int(newest) + self._every:
                self.sign(connection)
            else:
                self.due_at = int(newest) + self._every

    def sign_quietly(self, connection: apsw.Connection) -> None:
        """Sign; what goes wrong is logged only: the entries are committed, and stay so."""
        with self._only_logged():
            self.sign(connection)

    @contextmanager
    def _only_logged(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, no event may suffer from it
            logger.error("ledger %s: no checkpoint was signed: %s", self._path, error)

    def note(self, connection: apsw.Connection, text: str) -> Note:
        """Sign another text as the log, within a transaction of the ledger's.

        Raises:
            SigningFailed: the key cannot be used.
        """
        signer = self._present(connection, self.origin(connection), self._head(connection)[0])
        return Note(text, (signer.sign(text),))

    def rotate(self, connection: apsw.Connection) -> VerifierKey:
        """Announce a new key, endorsed by the present one, and sign with it from here on.

        Raises:
            SigningFailed: a key cannot be used, or kept.
            OSError: the new key's file, or the side file, cannot be written.
            apsw.Error: as it says.
        """
        with transaction(connection):
            self._side_log.check(connection)
            origin, size = self.origin(connection), self._head(connection)[0]
            old = self._present(connection, origin, size)
            new = self._keys.begin_rotation(origin)
            self._announce(connection, LogKey(origin, new.vkey, size, old.vkey), new, old)
        self._keys.finish_rotation()
        self._side_log.catch_up(connection)
        return new.vkey

    def _sign(self, connection: apsw.Connection) -> Signed | None:
        size, root = self._head(connection)
        if not self._is_anything_new(connection):
            return None
        self._side_log.check(connection)
        origin = self.origin(connection)
        signer = self._present(connection, origin, size)
        checkpoint = Checkpoint(origin, size, root)
        text = checkpoint.as_text()
        note = Note(text, (signer.sign(text),))
        return Signed(self._keep(connection, "checkpoint", size, note), checkpoint, signer.vkey)

    def _head(self, connection: apsw.Connection) -> tuple[int, bytes]:
        next_index, tree = read_head(connection, self._path)
        return next_index, catch_up(connection, tree, next_index).root()

    def _is_anything_new(self, connection: apsw.Connection) -> bool:
        found = connection.execute(
            "SELECT EXISTS (SELECT 1 FROM entries WHERE type <> ? AND log_index >="
            " (SELECT coalesce(max(size), 0) FROM signed_notes WHERE kind = 'checkpoint'))",
            (CHECKPOINTED,),
        )
        return bool(found.get)

    def origin(self, connection: apsw.Connection) -> str:
        """Return the name of the ledger's log."""
        return origin_of(str(connection.execute("SELECT ledger_id FROM ledger").get))

    def _present(self, connection: apsw.Connection, origin: str, size: int) -> Signer:
        """Return the key that the log signs with now; the first one is announced."""
        newest = connection.execute(
            "SELECT note FROM signed_notes WHERE kind = 'key' ORDER BY number DESC LIMIT 1"
        ).get
        announced = None if newest is None else LogKey.of_text(Note.of_text(newest).text).key
        signer = self._keys.signer(origin, announced)
        if announced is None:
            self._announce(connection, LogKey(origin, signer.vkey, size, None), signer)
        return signer

    def _announce(self, connection: apsw.Connection, said: LogKey, *signers: Signer) -> None:
        text = said.as_text()
        note = Note(text, tuple(signer.sign(text) for signer in signers))
        self._keep(connection, "key", said.since, note)

    def _keep(self, connection: apsw.Connection, kind: str, size: int, note: Note) -> int:
        number = int(
            connection.execute("SELECT coalesce(max(number), -1) + 1 FROM signed_notes").get
        )
        connection.execute(
            "INSERT INTO signed_notes (number, kind, size, signed_at, producer, note)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (number, kind, size, self._clock(), self.producer, note.as_text()),
        )
        return number
