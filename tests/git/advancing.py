"""The whole way of a merge's result into a project, as an apply goes it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from minutebook.actors.git.changes import read_tree_changes
from minutebook.actors.git.command import run_git
from minutebook.actors.git.repository import Project
from minutebook.actors.git.worktree import remove_worktree
from minutebook.actors.moving.checkout import describe_checkout
from minutebook.actors.moving.move import Move
from minutebook.actors.moving.staging import stage


def prepared(project: Project, before: str, after: str) -> Move:
    """Stage what leads from one commit to another, and give what moves it."""
    directory = Path(tempfile.mkdtemp(dir=project.path.parent, prefix="applying-"))
    scratch, store = directory / "scratch", directory / "store"
    run_git(project.path, "worktree", "add", "--detach", str(scratch), after)
    try:
        stage(
            store,
            project.path,
            scratch,
            read_tree_changes(project.path, before, after),
            kind="git",
            before=before,
            after=after,
            checkout=describe_checkout(project, directory.name),
        )
    finally:
        remove_worktree(project.path, scratch)
    return Move(store)


def advance_project(project: Project, before: str, after: str) -> None:
    """Move a project, or leave it as it is."""
    if before == after:
        return
    move = prepared(project, before, after)
    try:
        move.forth()
    except BaseException:
        move.back()
        raise
