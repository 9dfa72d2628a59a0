"""Checking a proof: with the file and public keys, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.entry import leaf_hash
from minutebook.domain.errors import ProofRefused
from minutebook.domain.log_proof import EntryProof, GrowthProof
from minutebook.domain.merkle import verify_consistency, verify_inclusion
from minutebook.domain.note import Note, VerifierKey, VerifySignature


def signed_checkpoint(
    note: Note, keys: Iterable[VerifierKey], verify: VerifySignature
) -> Checkpoint:
    """Return a checkpoint that one of the keys has signed, and none of them disowns.

    Raises:
        InvalidNote: it is no checkpoint.
        ProofRefused: it is not signed by them.
    """
    good, bad = note.signers(keys, verify)
    if bad:
        msg = (
            f"the checkpoint is not what {bad[0].as_text()} signed: it was changed; ask for"
            " another proof."
        )
        raise ProofRefused(msg)
    if not good:
        signers = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in note.signatures)
        msg = (
            f"the checkpoint is signed by {signers}, and by none of the keys that were given;"
            " give the vkey of the log from a source that you trust."
        )
        raise ProofRefused(msg)
    return Checkpoint.of_text(note.text)


def check_entry(
    proof: EntryProof, data: bytes, keys: Iterable[VerifierKey], verify: VerifySignature
) -> Checkpoint:
    """Return the checkpoint at which the log has an entry.

    Args:
        proof: of the entry.
        data: its leaf input.
        keys: of the log.
        verify: see `VerifySignature`.

    Raises:
        InvalidNote: the proof has no checkpoint.
        ProofRefused: it does not show that.
    """
    checkpoint = signed_checkpoint(proof.checkpoint, keys, verify)
    leaf = leaf_hash(data)
    if not verify_inclusion(leaf, proof.log_index, checkpoint.size, proof.hashes, checkpoint.root):
        msg = (
            f"the proof does not lead from the entry to the checkpoint: entry {proof.log_index} of"
            f" {checkpoint.origin} is another one, or the file was changed."
        )
        raise ProofRefused(msg)
    return checkpoint


def check_growth(
    proof: GrowthProof, old: Note, keys: Iterable[VerifierKey], verify: VerifySignature
) -> tuple[Checkpoint, Checkpoint]:
    """Return two checkpoints, of which the newer one has all that the older one had.

    Args:
        proof: of the growth.
        old: the older checkpoint.
        keys: of the log.
        verify: see `VerifySignature`.

    Raises:
        InvalidNote: what should be a checkpoint is none.
        ProofRefused: it does not show that.
    """
    known = tuple(keys)
    before = signed_checkpoint(old, known, verify)
    after = signed_checkpoint(proof.checkpoint, known, verify)
    if before.origin != after.origin or proof.old_size != before.size:
        msg = (
            f"the proof is of {after.origin} with {proof.old_size} entries before, the older"
            f" checkpoint of {before.origin} with {before.size}; take those that belong together."
        )
        raise ProofRefused(msg)
    if not verify_consistency(before.size, before.root, after.size, after.root, proof.hashes):
        msg = (
            f"the log {after.origin} with {after.size} entries does not begin with what it had"
            f" at {before.size}: it was rewritten, or the file was changed."
        )
        raise ProofRefused(msg)
    return before, after
