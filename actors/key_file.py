"""The key of the fingerprints that stand for secrets."""

from __future__ import annotations

import secrets
from pathlib import Path

from minutebook.actors.ledger.new_file import create_once
from minutebook.domain.errors import SettingsError
from minutebook.domain.redaction import KEY_BYTES


def load_or_create_key(path: Path) -> bytes:
    """Return the 32 bytes of a key file; make it, with mode 0600, when it is missing.

    Processes that make it at the same time end up with one and the same key.

    Raises:
        SettingsError: it cannot be read or made, or holds something else.
    """
    try:
        key = _read(path)
        if key is None:
            create_once(path, secrets.token_bytes(KEY_BYTES))
            key = _read(path)
    except OSError as error:
        msg = f"key file {path}: {error}; make it readable, and its directory writable."
        raise SettingsError(msg) from error
    if key is None or len(key) != KEY_BYTES:
        msg = f"key file {path} does not hold {KEY_BYTES} bytes; restore it from a backup."
        raise SettingsError(msg)
    return key


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
