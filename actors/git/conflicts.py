"""Where two commits do not merge: each file, why, and the lines on both sides."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from minutebook.actors.git.changes import SUBMODULE
from minutebook.actors.git.command import decode_name, run_git
from minutebook.domain.events.conflict import Conflict, ConflictHunk, ConflictKind

HUNKS_MAX: Final = 100
"""How many places of one file are named."""

# What git calls them, the telling ones first: a file may have several.
_KINDS: Final[tuple[tuple[str, ConflictKind], ...]] = (
    ("submodule", "submodule"),
    ("rename/rename", "rename-rename"),
    ("rename/delete", "rename-delete"),
    ("rename involved", "rename-add"),
    ("file/directory", "directory-file"),
    ("distinct", "file-type"),
    ("modify/delete", "modify-delete"),
    ("binary", "binary"),
)

_HEADER: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def read_conflicts(
    path: str | os.PathLike[str], ours: str, theirs: str, project_name: str
) -> tuple[Conflict, ...]:
    """Merge two commits once more, without a work tree, and say what git could not merge.

    Returns nothing where they do merge. Raises `GitError`.
    """
    output = run_git(path, "merge-tree", "--write-tree", "-z", ours, theirs, check=False)
    listing, _, messages = output.stdout.partition(b"\0\0")
    stages: dict[str, dict[int, _Stage]] = defaultdict(dict)
    # The first is the tree that git would write.
    for field in listing.split(b"\0")[1:]:
        record, _, name = field.partition(b"\t")
        mode, object_id, stage = record.decode().split(" ")
        stages[decode_name(name)][int(stage)] = _Stage(mode, object_id)
    said = _said(messages)
    return tuple(
        _conflict(path, name, of_one, said.get(name, []), project_name)
        for name, of_one in stages.items()
    )


@dataclass(frozen=True, slots=True)
class _Stage:
    mode: str
    object_id: str


def _said(messages: bytes) -> dict[str, list[str]]:
    """Return the kinds of conflict that git names, by file."""
    said: dict[str, list[str]] = defaultdict(list)
    fields = iter(messages.split(b"\0"))
    for count in fields:
        if not count:
            break
        names = [decode_name(next(fields)) for _ in range(int(count))]
        kind, _ = next(fields).decode("utf-8", "replace"), next(fields)
        for name in names:
            said[name].append(kind)
    return said


def _conflict(
    path: str | os.PathLike[str],
    name: str,
    stages: dict[int, _Stage],
    said: Sequence[str],
    project_name: str,
) -> Conflict:
    kind = _kind(stages, said)
    hunks: list[ConflictHunk] = []
    if kind in ("content", "add-add"):
        found = _hunks(path, stages)
        kind, hunks = ("binary", []) if found is None else (kind, found)
    return Conflict(
        path=name,
        project_name=project_name,
        kind=kind,
        hunks=tuple(hunks[:HUNKS_MAX]),
        hunks_omitted=max(0, len(hunks) - HUNKS_MAX),
    )


def _kind(stages: dict[int, _Stage], said: Sequence[str]) -> ConflictKind:
    if any(stage.mode == SUBMODULE for stage in stages.values()):
        return "submodule"
    for words, kind in _KINDS:
        if any(words in text for text in said):
            return kind
    there = frozenset(stages)
    if there == {1, 2, 3}:
        return "content"
    if there == {2, 3}:
        return "add-add"
    if there in ({1, 2}, {1, 3}):
        return "modify-delete"
    return "other"


@dataclass(frozen=True, slots=True)
class _Change:
    """A stretch of the base that one side replaced; lines count from 0, and `end` is past it."""

    start: int
    end: int
    there: int
    there_end: int
    lines: tuple[bytes, ...]


def _hunks(path: str | os.PathLike[str], stages: dict[int, _Stage]) -> list[ConflictHunk] | None:
    """Return the places that both sides changed; None for a binary file."""
    if 1 in stages:
        base = stages[1].object_id
    else:
        base = run_git(path, "hash-object", "-w", "--stdin", input=b"").line
    ours = _changes(path, base, stages[2].object_id)
    theirs = _changes(path, base, stages[3].object_id)
    if ours is None or theirs is None:
        return None
    return [
        ConflictHunk(
            base_start=start + 1,
            base_lines=end - start,
            **_side("ours", mine, start, end),
            **_side("theirs", other, start, end),
        )
        for start, end, mine, other in _overlaps(ours, theirs)
    ]


def _changes(path: str | os.PathLike[str], before: str, after: str) -> list[_Change] | None:
    options = ("-U0", "--no-color", "--no-ext-diff", "--no-textconv", "--diff-algorithm=histogram")
    text = run_git(path, "diff", *options, before, after).stdout
    changes: list[_Change] = []
    header: tuple[int, int, int, int] | None = None
    lines: list[bytes] = []

    def end() -> None:
        if header is not None:
            start, count, there, there_count = header
            # Where there are none, git names the line before.
            start -= bool(count)
            there -= bool(there_count)
            changes.append(_Change(start, start + count, there, there + there_count, tuple(lines)))
        lines.clear()

    for line in text.split(b"\n"):
        match = _HEADER.match(line)
        if match:
            end()
            numbers = [1 if number is None else int(number) for number in match.groups()]
            header = (numbers[0], numbers[1], numbers[2], numbers[3])
        elif header is None and line.startswith(b"Binary files "):
            return None
        elif header is not None and line[:1] in (b"+", b"\\"):
            lines.append(line)
    end()
    return changes


def _overlaps(
    ours: Sequence[_Change], theirs: Sequence[_Change]
) -> Iterator[tuple[int, int, list[_Change], list[_Change]]]:
    """Yield stretches of the base, with the changes in each, that the sides changed unalike.

    Git takes changes that touch each other for one, as here.
    """
    pending = sorted(
        [*((change, 0) for change in ours), *((change, 1) for change in theirs)],
        key=lambda pair: (pair[0].start, pair[0].end),
    )
    while pending:
        first, side = pending.pop(0)
        start, end = first.start, first.end
        sides: tuple[list[_Change], list[_Change]] = ([], [])
        sides[side].append(first)
        while pending and pending[0][0].start <= end:
            change, side = pending.pop(0)
            end = max(end, change.end)
            sides[side].append(change)
        if all(sides) and not _alike(*sides):
            yield start, end, *sides


def _alike(ours: list[_Change], theirs: list[_Change]) -> bool:
    return [(change.start, change.end, change.lines) for change in ours] == [
        (change.start, change.end, change.lines) for change in theirs
    ]


def _side(name: str, within: Sequence[_Change], start: int, end: int) -> dict[str, int]:
    """Return where a stretch of the base is on one side."""
    first, last = within[0], within[-1]
    there = first.there - (first.start - start)
    there_end = last.there_end + (end - last.end)
    return {f"{name}_start": there + 1, f"{name}_lines": there_end - there}
