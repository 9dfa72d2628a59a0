"""Encrypting a personal field with AES-256-GCM; the one place that does it.

The nonce is made from the key, the place and the value, as in SIV modes: an event that is told
again has the same bytes, and two different values never share a nonce, but by a chance of 2^-96.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

KEY_BYTES: Final = 32
"""Length of a subject's key."""

KEY_ID_BYTES: Final = 8
"""Length of a key's id, which is drawn, and tells nothing of the subject."""

_VERSION: Final = "v1"
_NONCE_BYTES: Final = 12


def load() -> None:
    """Import all that sealing needs, once: see `minutebook.actors.ledger.ed25519.load`."""
    seal(bytes(KEY_ID_BYTES), bytes(KEY_BYTES), b"", b"")


def seal(key_id: bytes, key: bytes, place: bytes, data: bytes) -> str:
    """Return ``v1.<key id in hexadecimal>.<base64 of nonce and ciphertext>``."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce_key = hashlib.sha256(b"minutebook nonce" + key).digest()
    said = len(place).to_bytes(4, "big") + place + data
    nonce = hmac.new(nonce_key, said, hashlib.sha256).digest()[:_NONCE_BYTES]
    sealed = nonce + AESGCM(key).encrypt(nonce, data, place)
    return f"{_VERSION}.{key_id.hex()}.{base64.b64encode(sealed).decode('ascii')}"


def key_id_of(sealed: str) -> bytes | None:
    """Return the id of the key that opens a sealed text; ``None`` when it is none."""
    parts = sealed.split(".")
    if len(parts) != 3 or parts[0] != _VERSION:
        return None
    try:
        key_id = bytes.fromhex(parts[1])
    except ValueError:
        return None
    return key_id if len(key_id) == KEY_ID_BYTES else None


def unseal(key: bytes, place: bytes, sealed: str) -> bytes | None:
    """Return what was sealed; ``None`` when it is not of this key, or of another place."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        data = base64.b64decode(sealed.rpartition(".")[2], validate=True)
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place)
    except (InvalidTag, ValueError, binascii.Error):
        return None
