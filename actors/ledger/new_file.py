"""Making a file that holds a secret, once, whoever else is making it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def create_once(path: Path, data: bytes) -> None:
    """Make a file, with mode 0600, whole and synced; one that is there already stays as it is.

    Raises:
        OSError: it cannot be made.
    """
    descriptor, temporary = _temporary(path)
    try:
        _fill(descriptor, data)
        try:
            # Fails when another process was first.
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()


def replace(path: Path, data: bytes) -> None:
    """Make a file anew, with mode 0600, whole and synced, in the place of what is there.

    Raises:
        OSError: it cannot be made; what was there is there still.
    """
    descriptor, temporary = _temporary(path)
    try:
        _fill(descriptor, data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _temporary(path: Path) -> tuple[int, str]:
    temporary = f"{path}.{secrets.token_hex(8)}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.open(temporary, flags, 0o600), temporary


def _fill(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
