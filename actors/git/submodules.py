"""Submodules in a sandbox: only what survives the sandbox may be in a plan's changes."""

from __future__ import annotations

import os

from minutebook.actors.git.changes import SUBMODULE
from minutebook.actors.git.command import run_git, split_names
from minutebook.actors.git.repository import common_directory
from minutebook.domain.errors import GitError


def refuse_edits_inside(path: str | os.PathLike[str]) -> None:
    """Refuse edits below a submodule, which are in no commit of the repository around it.

    Raises:
        GitError: naming the submodule.
    """
    listing = run_git(path, "ls-files", "--stage", "-z")
    for entry in split_names(listing.stdout):
        record, _, name = entry.partition("\t")
        if record.startswith(SUBMODULE) and _has_edits(os.path.join(path, name)):
            raise GitError(
                f"The work changed files inside the submodule {name!r}, and they would be lost; "
                "commit and push them there, or leave it unchanged."
            )


def refuse_lost_commits(path: str | os.PathLike[str], base: str) -> None:
    """Refuse a submodule at a commit that would be gone with the sandbox.

    Compares the index with `base`. A commit that a server has, or the project's own copy of the
    submodule, is fine.

    Raises:
        GitError: naming the submodule; the index is reset to HEAD.
    """
    options = ("--cached", "--no-renames", "--raw", "-z", "--no-abbrev", "--ignore-submodules=none")
    listing = run_git(path, "diff-index", *options, base)
    fields = split_names(listing.stdout)
    for record, name in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, commit, _ = record.split(" ")
        if mode == SUBMODULE and not _is_kept(path, name, commit):
            run_git(path, "reset", "--quiet")
            raise GitError(
                f"{name!r} in the sandbox is a repository of its own, or a submodule at a commit "
                "that is nowhere else, and would be lost; remove its .git, push the commit, or "
                "leave it unchanged."
            )


def _has_edits(place: str) -> bool:
    if os.path.islink(place) or not os.path.isdir(place):
        # Removed, or replaced by something that is in the repository around it.
        return False
    if not os.path.lexists(os.path.join(place, ".git")):
        return bool(os.listdir(place))
    status = run_git(place, "status", "--porcelain", "-z", "--ignore-submodules=none", check=False)
    return bool(status.exit_code or status.stdout)


def _is_kept(path: str | os.PathLike[str], name: str, commit: str) -> bool:
    place = os.path.join(path, name)
    if os.path.lexists(os.path.join(place, ".git")):
        listing = ("for-each-ref", f"--contains={commit}", "refs/remotes")
        found = run_git(place, *listing, check=False)
        if found.exit_code == 0 and found.stdout:
            return True
    common = common_directory(path)
    wanted = (f"{commit}^{{commit}}",)
    for repository in (os.path.join(common, "modules", name), os.path.join(common, "..", name)):
        if not os.path.isdir(repository) or _is_same(repository, common):
            continue
        if run_git(repository, "cat-file", "-e", *wanted, check=False).exit_code == 0:
            return True
    return False


def _is_same(place: str, common: str) -> bool:
    """Whether a directory is no repository of its own, but part of the one around it."""
    found = run_git(place, "rev-parse", "--git-common-dir", check=False)
    if found.exit_code:
        return True
    return os.path.realpath(os.path.join(place, found.line)) == os.path.realpath(common)
