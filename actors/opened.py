"""What a system says of itself when it begins to write."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import apsw

from minutebook.actors.version import installed_version
from minutebook.domain.trail_events import AuditSystemOpened

_process_started_at = datetime.now(UTC)


def _note_start() -> None:
    global _process_started_at
    _process_started_at = datetime.now(UTC)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_start)


def describe_process(source: str) -> AuditSystemOpened:
    """Return the first event of a producer: which process it is."""
    import platform

    return AuditSystemOpened(
        source=source,
        host=platform.node(),
        pid=os.getpid(),
        process_started_at=_process_started_at,
        python_version=platform.python_version(),
        minutebook_version=installed_version(),
        sqlite_version=apsw.sqlite_lib_version(),
    )
