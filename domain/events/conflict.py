"""Where a plan's changes and a project's do not go together."""

from __future__ import annotations

from typing import Literal

from minutebook.domain.events.part import Part

ConflictKind = Literal[
    "content",
    "add-add",
    "modify-delete",
    "rename-delete",
    "rename-rename",
    "rename-add",
    "directory-file",
    "file-type",
    "binary",
    "submodule",
    "other",
]
"""What kind of conflict git sees in a file."""


class ConflictHunk(Part):
    """One place in a file that both sides changed; lines count from 1.

    Where a side has no line there, its count is 0, and its start the line before which others
    have some.
    """

    ours_start: int
    """First line in the project's file."""
    ours_lines: int
    """How many lines in the project's file."""
    theirs_start: int
    """First line in the plan's file."""
    theirs_lines: int
    """How many lines in the plan's file."""
    base_start: int
    """First line in the file that both come from."""
    base_lines: int
    """How many lines in the file that both come from."""


class Conflict(Part):
    """One file that could not be merged."""

    path: str
    """Path within the project."""
    project_name: str = ""
    """Which project."""
    kind: ConflictKind
    """Why it could not be merged."""
    hunks: tuple[ConflictHunk, ...] = ()
    """The places, in order, as far as they fit; none where lines are not the trouble."""
    hunks_omitted: int = 0
    """How many did not fit."""
