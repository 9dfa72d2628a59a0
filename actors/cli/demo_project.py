"""The repository that the demo works on: a copy of the user's, or a small one of its own."""

from __future__ import annotations

from pathlib import Path

from minutebook.actors.git.command import Author, run_git
from minutebook.actors.git.repository import inspect_project
from minutebook.domain.errors import ProjectError

_FILES = {
    "README.md": "# Parcels\n\nCounts parcels.\n\nIt has two functions.\n",
    "parcels.py": (
        '"""Count parcels."""\n\n\n'
        "def total(parcels):\n"
        "    result = 0\n"
        "    for parcel in parcels:\n"
        "        result = result + parcel\n"
        "    return result\n\n\n"
        "def heaviest(parcels):\n"
        "    return sorted(parcels)[-1]\n"
    ),
    "notes.txt": "ask the warehouse\n",
}


def make_project(directory: Path) -> Path:
    """Make a small repository with one commit, and return its path."""
    project = directory / "parcels"
    project.mkdir()
    for name, text in _FILES.items():
        (project / name).write_text(text, encoding="utf-8")
    run_git(project, "init", "--quiet")
    run_git(project, "add", "--all")
    author = Author(name="Minutebook demo", email="demo@example.com")
    run_git(project, "commit", "--quiet", "--message", "Count parcels", author=author)
    return project


def copy_project(source: Path, directory: Path) -> Path:
    """Copy a repository's commits, and return the copy's path; the source is only read.

    Raises:
        ProjectError: the source is not the top of a git work tree with a commit.
    """
    found = inspect_project(source)
    copy = directory / found.name
    if copy.exists():
        msg = f"{copy} exists already; choose another --ledger directory."
        raise ProjectError(msg)
    run_git(directory, "clone", "--quiet", "--no-hardlinks", str(found.path), str(copy))
    # The copy shall have nothing to do with the original from here on.
    run_git(copy, "remote", "remove", "origin")
    return copy
