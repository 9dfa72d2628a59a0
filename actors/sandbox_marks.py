"""The mark beside a sandbox: a file that says whose it is, also when the app database is lost."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from minutebook.domain.errors import ProjectError
from minutebook.domain.state import Sandbox

MARK_SUFFIX: Final = ".sandbox.json"
"""Behind the sandbox's path."""

_OWNER: Final = "app_database"


def mark_of(path: str) -> Path:
    """Where the mark of a sandbox is."""
    return Path(f"{path}{MARK_SUFFIX}")


def write_mark(sandbox: Sandbox, app_path: Path) -> None:
    """Mark a place before a sandbox is made there.

    Args:
        sandbox: the one that is to be made.
        app_path: the app database that knows it.

    Raises:
        ProjectError: the mark cannot be written.
    """
    said = {_OWNER: str(app_path), "sandbox": sandbox.model_dump()}
    try:
        # Escaped by JSON: a path that is not UTF-8 is kept.
        mark_of(sandbox.path).write_text(json.dumps(said, default=str), encoding="ascii")
    except OSError as error:
        msg = f"sandboxes cannot be made in {Path(sandbox.path).parent}: {error}; make it writable."
        raise ProjectError(msg) from error


def remove_mark(sandbox: Sandbox) -> None:
    """Take the mark away, when nothing of the sandbox is left; harmless the second time."""
    with contextlib.suppress(OSError):
        mark_of(sandbox.path).unlink()


def marked(directory: Path, app_path: Path) -> Iterator[Sandbox]:
    """Yield the sandboxes of an app database that have a mark in a directory."""
    try:
        marks = sorted(directory.glob(f"*{MARK_SUFFIX}"))
    except OSError:
        return
    for mark in marks:
        try:
            said = json.loads(mark.read_bytes())
            sandbox = Sandbox.model_validate(said["sandbox"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            continue  # not ours, or going
        if said.get(_OWNER) == str(app_path) and mark_of(sandbox.path) == mark:
            yield sandbox
