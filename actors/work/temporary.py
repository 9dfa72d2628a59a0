"""Where a plan's work keeps what it needs for a time: a directory beside its sandbox."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from minutebook.domain.errors import WorkFailed


def temporary_of(sandbox: str | os.PathLike[str]) -> Path:
    """Return the directory that belongs to a sandbox."""
    return Path(f"{os.fspath(sandbox)}.tmp")


def make_temporary(sandbox: str | os.PathLike[str]) -> Path:
    """Make it, with mode 0700, or find it; raises `WorkFailed`."""
    path = temporary_of(sandbox)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        msg = f"temporary files cannot be made in {path}: {error}; make it writable."
        raise WorkFailed(msg) from error
    return path


def remove_temporary(sandbox: str | os.PathLike[str]) -> None:
    """Remove it with all that it holds; harmless when it is gone."""
    shutil.rmtree(temporary_of(sandbox), ignore_errors=True)
