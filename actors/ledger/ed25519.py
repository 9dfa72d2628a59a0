"""Signing and verifying notes: the one place that imports ``cryptography``, when it is called."""

from __future__ import annotations

import secrets

from minutebook.domain.note import (
    COSIGNATURE,
    ED25519,
    SecretKey,
    Signature,
    VerifierKey,
    cosigned_message,
)


class Signer:
    """A private key, ready to sign.

    Args:
        secret: the key.
    """

    def __init__(self, secret: SecretKey) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.secret = secret
        """The key; keep it out of logs."""
        self._key = Ed25519PrivateKey.from_private_bytes(secret.seed)
        public = self._key.public_key().public_bytes_raw()
        self.vkey = VerifierKey(secret.name, ED25519, public)
        """What verifies the notes that it signs."""
        self.witness_vkey = VerifierKey(secret.name, COSIGNATURE, public)
        """What verifies the checkpoints that it cosigns."""

    @classmethod
    def new(cls, name: str) -> Signer:
        """Draw a key.

        Args:
            name: what it signs under.
        """
        return cls(SecretKey(name, secrets.token_bytes(32)))

    def sign(self, text: str) -> Signature:
        """Sign a note's text."""
        key = self.vkey
        return Signature(key.name, key.key_id, self._key.sign(text.encode("utf-8")))

    def cosign(self, text: str, timestamp: int) -> Signature:
        """Sign the text of a checkpoint's note as a witness.

        Args:
            text: of the note.
            timestamp: seconds since the epoch.
        """
        key = self.witness_vkey
        signature = self._key.sign(cosigned_message(timestamp, text))
        return Signature(key.name, key.key_id, timestamp.to_bytes(8, "big") + signature)


def load() -> None:
    """Import all that signing needs, once.

    A thread that imports while another one forks leaves the child with a half-made module, which
    it waits for for ever: whoever will sign in a thread loads this before.
    """
    global _loaded
    if not _loaded:
        # Some of it is imported by the first signature only.
        Signer(SecretKey("none", bytes(32))).sign("")
        _loaded = True


_loaded = False


def verify_signature(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature is a key's; see `minutebook.domain.note.VerifySignature`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
