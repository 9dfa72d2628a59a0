"""The key of the fingerprints that stand for secrets."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

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
            _create(path)
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


def _create(path: Path) -> None:
    import tempfile

    # mkstemp gives mode 0600; the link fails when another process was first.
    descriptor, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()
