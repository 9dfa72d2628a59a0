"""A witness: another party that signs a log's checkpoints as long as the log only grows.

It keeps what it signed last in a file of its own, and signs nothing that does not begin with
it: a log that was rewritten, or shown to others in another form, finds no witness.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from minutebook.actors.ledger.ed25519 import Signer, verify_signature
from minutebook.actors.ledger.new_file import create_once, replace
from minutebook.actors.ledger.proving import Prover
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.errors import InvalidNote, NotYetProvable, ProofRefused, WitnessRefused
from minutebook.domain.log_key import LogKey, key_ring
from minutebook.domain.merkle import verify_consistency
from minutebook.domain.note import Note, SecretKey, VerifierKey
from minutebook.domain.proof_check import signed_checkpoint


class _Witnessed(NamedTuple):
    """What the file of a witness says."""

    vkey: str
    """Of the log."""
    origin: str
    """Of the log."""
    size: int
    """Of the newest checkpoint that was signed."""
    root: str
    """Of that checkpoint: in hexadecimal."""


class Witness:
    """One witness of one log.

    Args:
        state: its file; made with the first signature.
        key: the file of its key; made, with mode 0600, when it is missing.
        name: what a new key signs under.

    Raises:
        InvalidNote: the key's file holds something else.
        OSError: a file cannot be read or made.
    """

    def __init__(self, state: Path, key: Path, name: str) -> None:
        self._state = state
        if not key.exists():
            signer = Signer.new(name)
            create_once(key, f"{signer.secret.as_text(signer.vkey.public_key)}\n".encode())
        self._signer = Signer(SecretKey.of_text(key.read_text(encoding="utf-8")))
        self.vkey = self._signer.witness_vkey
        """What verifies its signatures."""

    def sign(
        self, ledger: Path, trusted: Iterable[VerifierKey], clock: Callable[[], float]
    ) -> Note:
        """Return the log's newest checkpoint with one more signature.

        Args:
            ledger: the ledger's file.
            trusted: keys of the log; with none, the first time trusts what the ledger says.
            clock: seconds since the epoch.

        Raises:
            WitnessRefused: the log is not the one that it was, or did not only grow.
            LedgerError: of the kind that fits.
            OSError: the state cannot be kept; nothing was signed.
        """
        before = self._read()
        with Prover(ledger) as prover:
            announcements = prover.notes("key")
            old_size = 0 if before is None else before.size
            keys = self._keys(before, announcements, tuple(trusted))
            try:
                proof = prover.growth(old_size)
                ring = key_ring(keys, announcements, _origin(announcements), verify_signature)
                checkpoint = signed_checkpoint(proof.checkpoint, ring.keys, verify_signature)
            except NotYetProvable as error:
                if before is None:
                    raise
                msg = (
                    f"the log had {before.size} entries when it was witnessed last, and has signed"
                    " no more than fewer now: it was cut; see what `minutebook verify` says."
                )
                raise WitnessRefused(msg) from error
            except (ValueError, ProofRefused) as error:
                msg = f"the newest checkpoint of {ledger} is not the log's: {error}"
                raise WitnessRefused(msg) from error
        if before is not None:
            _refuse_rewritten(before, checkpoint, proof.hashes)
        self._keep(_Witnessed(keys[0].as_text(), *_named(checkpoint)))
        return proof.checkpoint.signed_by(self._signer.cosign(proof.checkpoint.text, int(clock())))

    def _keys(
        self,
        before: _Witnessed | None,
        announcements: list[Note],
        trusted: tuple[VerifierKey, ...],
    ) -> list[VerifierKey]:
        if trusted:
            return list(trusted)
        if before is not None:
            return [VerifierKey.of_text(before.vkey)]
        if not announcements:
            msg = "the log has not signed anything yet; try again when it has."
            raise WitnessRefused(msg)
        return [LogKey.of_text(announcements[0].text).key]

    def _read(self) -> _Witnessed | None:
        try:
            return _Witnessed(**json.loads(self._state.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            msg = f"{self._state} is no state of a witness; restore it from a backup."
            raise InvalidNote(msg) from error

    def _keep(self, witnessed: _Witnessed) -> None:
        replace(self._state, json.dumps(witnessed._asdict()).encode() + b"\n")


def _named(checkpoint: Checkpoint) -> tuple[str, int, str]:
    return checkpoint.origin, checkpoint.size, checkpoint.root.hex()


def _origin(announcements: list[Note]) -> str:
    return LogKey.of_text(announcements[0].text).origin if announcements else ""


def _refuse_rewritten(
    before: _Witnessed, checkpoint: Checkpoint, hashes: tuple[bytes, ...]
) -> None:
    if checkpoint.origin != before.origin:
        msg = (
            f"the log says that it is {checkpoint.origin}, and was {before.origin}; give each log a"
            " state of its own."
        )
        raise WitnessRefused(msg)
    old_root = bytes.fromhex(before.root)
    if not verify_consistency(before.size, old_root, checkpoint.size, checkpoint.root, hashes):
        msg = (
            f"the log's {checkpoint.size} entries do not begin with the {before.size} that were"
            " witnessed: it was rewritten; keep the state, and see what `minutebook verify` says."
        )
        raise WitnessRefused(msg)
