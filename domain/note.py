"""Signed notes: text with signature lines, https://c2sp.org/signed-note.

Pure: who signs and verifies is `minutebook.actors.ledger.ed25519`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from minutebook.domain.errors import InvalidNote

ED25519: Final = 0x01
"""Signature type: Ed25519 over the note's text."""

COSIGNATURE: Final = 0x04
"""Signature type: a witness's timestamped Ed25519, https://c2sp.org/tlog-cosignature."""

SIGNATURES_MAX: Final = 100
"""Most signatures of a note that is read."""

_DASH: Final = "\N{EM DASH} "
_PRIVATE: Final = "PRIVATE+KEY+"
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = {ED25519: 64, COSIGNATURE: 8 + 64}

VerifySignature = Callable[[bytes, bytes, bytes], bool]
"""Tells whether an Ed25519 signature is that of a public key over a message, in this order:
public key, signature, message."""


class VerifierKey(NamedTuple):
    """A public key with the name that it signs under: a *vkey*."""

    name: str
    """Whose it is; of a log, its origin."""
    kind: int
    """The signature type: `ED25519` or `COSIGNATURE`."""
    public_key: bytes
    """32 bytes, as in RFC 8032."""

    @property
    def key_id(self) -> bytes:
        """4 bytes that tell it from others of the name."""
        return key_id(self.name, self.kind, self.public_key)

    def as_text(self) -> str:
        """Return ``<name>+<key id in hexadecimal>+<base64 of type and key>``."""
        return f"{self.name}+{self.key_id.hex()}+{_encoded(bytes([self.kind]) + self.public_key)}"

    @classmethod
    def of_text(cls, text: str) -> VerifierKey:
        """Return the key that `as_text` stands for.

        Raises:
            InvalidNote: it is no such key, or of a type that is not known here.
        """
        name, plus, rest = text.strip().partition("+")
        digits, _, encoded = rest.partition("+")
        data = _decoded(encoded)
        if not plus or not is_key_name(name) or data is None or len(data) != 1 + _KEY_BYTES:
            msg = f"{text!r:.120} is no vkey; give NAME+HEXADECIMAL+BASE64, all on one line."
            raise InvalidNote(msg)
        key = cls(name, data[0], data[1:])
        if key.kind not in _SIGNATURE_BYTES:
            msg = f"vkey {text!r:.120} has signature type {key.kind}; give one of type 1 or 4."
            raise InvalidNote(msg)
        if digits != key.key_id.hex():
            msg = f"vkey {text!r:.120} does not have the id that it says; copy it again."
            raise InvalidNote(msg)
        return key


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """Return the first 4 bytes of ``SHA-256(name || 0x0A || type || public key)``."""
    data = name.encode("utf-8") + b"\n" + bytes([kind]) + public_key
    return hashlib.sha256(data).digest()[:4]


def is_key_name(name: str) -> bool:
    """Tell whether a key may have the name: some text without spaces, plus, control characters."""
    return bool(name) and not any(
        character == "+" or character.isspace() or character < " " for character in name
    )


class SecretKey(NamedTuple):
    """A private key with the name that it signs under, as golang.org/x/mod/sumdb/note writes it."""

    name: str
    """Whose it is."""
    seed: bytes
    """32 bytes, as in RFC 8032."""

    def __repr__(self) -> str:
        return f"SecretKey(name={self.name!r})"

    def as_text(self, public_key: bytes) -> str:
        """Return ``PRIVATE+KEY+<name>+<key id in hexadecimal>+<base64 of type and seed>``."""
        digits = key_id(self.name, ED25519, public_key).hex()
        return f"{_PRIVATE}{self.name}+{digits}+{_encoded(bytes([ED25519]) + self.seed)}"

    @classmethod
    def of_text(cls, text: str) -> SecretKey:
        """Return the key that `as_text` stands for; its id is not checked.

        Raises:
            InvalidNote: it is no such key; the message does not repeat it.
        """
        name, _, rest = text.strip().removeprefix(_PRIVATE).partition("+")
        data = _decoded(rest.partition("+")[2])
        if (
            not text.strip().startswith(_PRIVATE)
            or not is_key_name(name)
            or data is None
            or len(data) != 1 + _KEY_BYTES
            or data[0] != ED25519
        ):
            msg = "this is no signing key; give PRIVATE+KEY+NAME+HEXADECIMAL+BASE64 on one line."
            raise InvalidNote(msg)
        return cls(name, data[1:])


class Signature(NamedTuple):
    """One line below a note's text."""

    name: str
    """Name of the key."""
    key_id: bytes
    """4 bytes: which key of that name."""
    signature: bytes
    """What it signed; the type of the key says how to read it."""

    def as_line(self) -> str:
        """Return the line, with its end."""
        return f"{_DASH}{self.name} {_encoded(self.key_id + self.signature)}\n"

    @classmethod
    def of_line(cls, line: str) -> Signature:
        """Return the signature that a line, without its end, stands for.

        Raises:
            InvalidNote: it is no signature line.
        """
        name, space, encoded = line.removeprefix(_DASH).rpartition(" ")
        data = _decoded(encoded)
        if not line.startswith(_DASH) or not space or not is_key_name(name) or data is None:
            msg = f"{line!r:.120} is no signature line; take the note as it was written."
            raise InvalidNote(msg)
        if len(data) < 5:
            msg = f"the signature of {name!r:.120} is cut off; take the note as it was written."
            raise InvalidNote(msg)
        return cls(name, data[:4], data[4:])


class Note(NamedTuple):
    """A text, and who signed it; trust the text only after `signers`."""

    text: str
    """What was signed; ends in a newline."""
    signatures: tuple[Signature, ...]
    """In the order of the lines."""

    def as_text(self) -> str:
        """Return the whole note."""
        return f"{self.text}\n{''.join(line.as_line() for line in self.signatures)}"

    @classmethod
    def of_text(cls, text: str) -> Note:
        """Return the note that `as_text` stands for.

        Raises:
            InvalidNote: it is none.
        """
        body, separator, lines = text.rpartition("\n\n")
        if not separator or not body.strip("\n") or not lines.endswith("\n"):
            msg = "this is no signed note: no text, a blank line and signatures; take all of it."
            raise InvalidNote(msg)
        if any(character < " " and character != "\n" for character in text):
            msg = "this note has control characters, which none may have; take another one."
            raise InvalidNote(msg)
        signatures = lines[:-1].split("\n")
        if len(signatures) > SIGNATURES_MAX:
            msg = f"this note has more than {SIGNATURES_MAX} signatures; leave some out."
            raise InvalidNote(msg)
        return cls(body + "\n", tuple(map(Signature.of_line, signatures)))

    def signed_by(self, signature: Signature) -> Note:
        """Return the note with one more signature; one that is there already changes nothing."""
        if signature in self.signatures:
            return self
        return self._replace(signatures=(*self.signatures, signature))

    def signers(
        self, keys: Iterable[VerifierKey], verify: VerifySignature
    ) -> tuple[list[VerifierKey], list[VerifierKey]]:
        """Return which of the keys signed it, and in whose name something else stands there.

        Signatures of other keys are ignored. A note of which the second is not empty is to be
        rejected.
        """
        good: list[VerifierKey] = []
        bad: list[VerifierKey] = []
        for key in keys:
            found = [line for line in self.signatures if line[:2] == (key.name, key.key_id)]
            if found:
                right = all(_is_signed(self.text, key, line.signature, verify) for line in found)
                (good if right else bad).append(key)
        return good, bad


def _is_signed(text: str, key: VerifierKey, signature: bytes, verify: VerifySignature) -> bool:
    if len(signature) != _SIGNATURE_BYTES[key.kind]:
        return False
    if key.kind == ED25519:
        return verify(key.public_key, signature, text.encode("utf-8"))
    timestamp = int.from_bytes(signature[:8], "big")
    return verify(key.public_key, signature[8:], cosigned_message(timestamp, text))


def cosigned_message(timestamp: int, text: str) -> bytes:
    """Return what a witness signs.

    Args:
        timestamp: when it signs, in seconds since the epoch.
        text: of the checkpoint's note.
    """
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(text: str) -> bytes | None:
    """Return what base64 stands for; ``None`` when it is none, or not in its one right form."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if _encoded(data) == text else None


def encoded_hash(digest: bytes) -> str:
    """Return a hash as proofs and checkpoints write it."""
    return _encoded(digest)


def decoded_hash(text: str) -> bytes:
    """Return the hash that `encoded_hash` stands for.

    Raises:
        InvalidNote: it is none.
    """
    data = _decoded(text)
    if data is None or len(data) != hashlib.sha256().digest_size:
        msg = f"{text!r:.120} is no SHA-256 hash in base64; take the file as it was written."
        raise InvalidNote(msg)
    return data


def decoded_base64(text: str) -> bytes:
    """Return what base64 stands for.

    Raises:
        InvalidNote: it is none.
    """
    data = _decoded(text)
    if data is None:
        msg = f"{text!r:.120} is no base64; take the file as it was written."
        raise InvalidNote(msg)
    return data


def decoded_number(text: str) -> int:
    """Return the number that ASCII digits stand for; without leading zeros.

    Raises:
        InvalidNote: it is none.
    """
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0"):
        msg = f"{text!r:.120} is no number; take the file as it was written."
        raise InvalidNote(msg)
    if len(text) > 19:
        msg = f"{text} is larger than any log; take the file as it was written."
        raise InvalidNote(msg)
    return int(text)
