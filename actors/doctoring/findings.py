"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ailment = Literal[
    "orphan_worktree",
    "orphan_directory",
    "orphan_branch",
    "stray_process",
    "stuck_plan",
    "unended_cancellation",
]
"""What is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a crash left."""

    ailment: Ailment
    """What is wrong."""
    id: str
    """Path, branch, process id or plan id."""
    plan_id: str
    """Whose it was."""
    what: str
    """In words, for a person; one line."""
    project_names: tuple[str, ...] = ()
    """The plan's projects, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Treated:
    """What became of a finding."""

    finding: Finding
    """It."""
    is_gone: bool
    """Whether it is there no longer."""
