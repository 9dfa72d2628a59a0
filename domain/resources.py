"""What a plan can hold, and give back.

The kinds that Minutebook's own holders know are named here; hosts add their own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pydantic import AwareDatetime

from minutebook.domain.events.part import Part

GIT_WORKTREE: Final = "git_worktree"
"""The work tree of a sandbox; its id is the path."""

GIT_BRANCH: Final = "git_branch"
"""The branch of a sandbox; its id is the name."""

DIRECTORY: Final = "directory"
"""A sandbox that is a copy of its project; its id is the path."""

PROCESS: Final = "process"
"""A process of the plan's work; its id is the process id."""

FILE_LOCK: Final = "file_lock"
"""A lock file that is made beside a sandbox; its id is the path."""

CHILD_PLAN: Final = "child_plan"
"""A plan that is a part of the plan; its id is the plan's."""

SESSION: Final = "session"
"""An open session that was begun for the plan; its id is the session's."""

TEMP_FILE: Final = "temp_file"
"""What the plan's work keeps for a time outside its sandbox; its id is the path."""

KINDS: Final = (
    GIT_WORKTREE,
    GIT_BRANCH,
    DIRECTORY,
    PROCESS,
    FILE_LOCK,
    CHILD_PLAN,
    SESSION,
    TEMP_FILE,
)
"""The kinds of Minutebook's own holders."""


class HeldResource(Part):
    """Something that a plan holds."""

    kind: str
    """One of `KINDS`, or a host's own."""
    id: str
    """Path, branch name, process id, ...; unique within the kind and the plan."""
    plan_id: str
    """Whose it is."""
    since: AwareDatetime | None = None
    """Since when, UTC; ``None`` when that is not known."""
    owner: str
    """Name of the holder that keeps it."""


class Freed(NamedTuple):
    """What a release gave back; all zero for what was released before."""

    bytes: int = 0
    """Bytes freed."""
    files: int = 0
    """Files freed."""
    seconds: float = 0.0
    """How long it took."""
