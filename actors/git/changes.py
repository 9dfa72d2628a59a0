"""The changeset between two commits, in git's own numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from minutebook.actors.git.command import decode_name, run_git, split_names
from minutebook.actors.git.repository import resolve_commit
from minutebook.domain.changeset import Changeset, FileChange, FileStatus
from minutebook.domain.errors import GitError

_STATUS: dict[str, FileStatus] = {
    "A": "created",
    "C": "created",
    "D": "deleted",
    "M": "modified",
    "T": "modified",
    "R": "renamed",
}

SUBMODULE = "160000"
"""A submodule's mode."""


def read_changeset(path: str | os.PathLike[str], before: str, after: str) -> Changeset:
    """What differs from `before` to `after`, counted as `git diff --numstat` counts.

    The user's configuration and attributes count. Git reads `.gitattributes` from the work
    tree at `path`: for the numbers that the user will see, call this where `after` is
    checked out. A submodule has its commit as digest and no size. Raises `GitError`.
    """
    first, second = resolve_commit(path, before), resolve_commit(path, after)
    # Submodules count, whatever the user wants to see of them.
    options = ("--raw", "--numstat", "-z", "--no-abbrev", "--ignore-submodules=none")
    listing = run_git(path, "diff", *options, first, second)
    raw, counts = _parse(listing.stdout)
    sizes = _sizes(path, raw)
    prefix = f"git-{run_git(path, 'rev-parse', '--show-object-format').line}:"
    files = []
    for modes, ids, letter, old, new in raw:
        status = _STATUS.get(letter)
        if status is None:
            raise GitError(
                f"git reports {new!r} with the status {letter!r} between two commits; "
                "report this with the output of `git diff --raw`."
            )
        there_before, there_after = status != "created", status != "deleted"
        # A modified file without an entry has no differing line (git leaves those out).
        added, removed = counts.get(new, (0, 0))
        files.append(
            FileChange(
                path=new,
                status=status,
                old_path=old,
                lines_added=added,
                lines_removed=removed,
                bytes_before=sizes.get(ids[0]) if there_before else None,
                bytes_after=sizes.get(ids[1]) if there_after else None,
                digest_before=prefix + ids[0] if there_before else None,
                digest_after=prefix + ids[1] if there_after else None,
                mode_changed=there_before and there_after and modes[0] != modes[1],
            )
        )
    return Changeset(commit_before=first, commit_after=second, files=tuple(files))


_Raw = tuple[tuple[str, str], tuple[str, str], str, str | None, str]
"""Modes, object ids, status letter, old name or None, name."""

_Counts = dict[str, tuple[int | None, int | None]]


def _parse(listing: bytes) -> tuple[list[_Raw], _Counts]:
    raw: list[_Raw] = []
    counts: _Counts = {}
    fields = iter(listing.split(b"\0")[:-1])
    for field in fields:
        # Raw records come first and start with a colon; a numstat record starts with a
        # digit or a dash. Names are consumed with their record, so none is mistaken for one.
        if field.startswith(b":"):
            mode_before, mode_after, id_before, id_after, status = field[1:].decode().split(" ")
            letter = status[0]
            old = _name(fields) if letter in "RC" else None
            modes, ids = (mode_before, mode_after), (id_before, id_after)
            raw.append((modes, ids, letter, old, _name(fields)))
        else:
            added, removed, name = field.split(b"\t", 2)
            if name:
                path = decode_name(name)
            else:  # a rename or copy: the old and the new name follow
                _name(fields)
                path = _name(fields)
            counts[path] = (_count(added), _count(removed))
    return raw, counts


def _name(fields: Iterator[bytes]) -> str:
    return decode_name(next(fields))


def _count(text: bytes) -> int | None:
    return None if text == b"-" else int(text)


def _sizes(path: str | os.PathLike[str], raw: list[_Raw]) -> dict[str, int]:
    wanted = {
        object_id
        for modes, ids, *_ in raw
        for mode, object_id in zip(modes, ids, strict=True)
        if mode != SUBMODULE and object_id.strip("0")
    }
    if not wanted:
        return {}
    asked = "".join(f"{object_id}\n" for object_id in sorted(wanted)).encode()
    check = "--batch-check=%(objectname) %(objectsize)"
    answer = run_git(path, "cat-file", check, input=asked).stdout.decode()
    sizes = {}
    for line in answer.splitlines():
        object_id, size = line.split(" ", 1)
        if not size.isdigit():
            raise GitError(
                f"The object {object_id} is {size} in {os.fspath(path)!r}; run `git fsck` there."
            )
        sizes[object_id] = int(size)
    return sizes


def touched_files(path: str | os.PathLike[str], base: str, *, ignored: bool = False) -> int:
    """How many files of a work tree differ from a commit, new ones that git does not ignore too.

    Counts what is committed on top of `base` and what is not committed yet; with `ignored`,
    also new files that git ignores. Raises `GitError`.
    """
    tracked = run_git(path, "diff", "--name-only", "-z", "--no-renames", base).stdout
    standard = () if ignored else ("--exclude-standard",)
    untracked = run_git(path, "ls-files", "-z", "--others", *standard).stdout
    return len({*split_names(tracked), *split_names(untracked)})


@dataclass(frozen=True, slots=True)
class TreeChange:
    """One path that differs between two commits; a rename is two of them."""

    path: str
    mode_before: str
    """As git writes it, such as `100644`; all zeros when there is nothing."""
    mode_after: str
    id_before: str
    """Object id; all zeros when there is nothing."""
    id_after: str


def read_tree_changes(
    path: str | os.PathLike[str], before: str, after: str
) -> tuple[TreeChange, ...]:
    """Each path that differs between two commits, without the search for renames."""
    options = ("-r", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-commit-id")
    listing = run_git(path, "diff-tree", *options, "--ignore-submodules=none", before, after)
    changes = []
    fields = iter(listing.stdout.split(b"\0")[:-1])
    for field in fields:
        mode_before, mode_after, id_before, id_after, _ = field[1:].decode().split(" ")
        changes.append(TreeChange(_name(fields), mode_before, mode_after, id_before, id_after))
    return tuple(changes)
