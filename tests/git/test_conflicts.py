"""Conflicts by file, kind and line: the places that git itself marks."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.git.apply import commit_sandbox, merge_in_scratch
from minutebook.actors.git.conflicts import HUNKS_MAX, read_conflicts
from minutebook.actors.git.repository import inspect_project
from minutebook.actors.git.worktree import create_sandbox
from minutebook.domain.errors import MergeConflict
from minutebook.domain.events.conflict import Conflict, ConflictHunk


def numbered(count: int, **changed: str) -> str:
    """Lines "1" to "count", some of them with another text."""
    return "".join(f"{changed.get(f'l{number}', number)}\n" for number in range(1, count + 1))


def test_each_kind_is_named_with_its_lines(repository: Any, tmp_path: Path) -> None:
    """What both sides did to each of nine files, in one merge that fails."""
    repository.commit(
        {
            "text": numbered(30),
            "deleted here": numbered(9),
            "deleted there": numbered(9),
            "renamed": numbered(20),
            "renamed twice": numbered(25),
            "binary": bytes(range(256)),
            "typed": "x\n",
            b"caf\xe9": "x\n",
        }
    )
    sandbox = create_sandbox(inspect_project(repository.path), tmp_path / "box", "p1")
    box = sandbox.path
    (box / "text").write_text(numbered(30, l3="theirs", l20="theirs\nand more"))
    (box / "deleted here").write_text(numbered(9, l1="theirs"))
    (box / "deleted there").unlink()
    (box / "renamed").unlink()
    (box / "renamed twice").rename(box / "renamed to that")
    (box / "binary").write_bytes(bytes(range(255, -1, -1)))
    (box / "typed").unlink()
    (box / "typed").symlink_to("text")
    (box / "caf\udce9").write_text("theirs\n")
    (box / "added").write_text("theirs 1\ntheirs 2\n")
    commit_sandbox(box, "plan")
    repository.write(
        {
            "text": numbered(30, l1="ours\nours too", l3="ours", l20="ours"),
            "deleted there": numbered(9, l1="ours"),
            "binary": bytes(256),
            "typed": "ours\n",
            b"caf\xe9": "ours\n",
            "added": "ours\n",
        }
    )
    repository.git("rm", "-q", "deleted here")
    repository.git("mv", "renamed", "renamed here")
    repository.git("mv", "renamed twice", "renamed to this")
    repository.commit()

    head = repository.head
    with pytest.raises(MergeConflict) as caught:
        with merge_in_scratch(
            repository.path, head, sandbox.branch, tmp_path / "scratch", name="shop"
        ):
            pass
    found = {conflict.path: conflict for conflict in caught.value.conflicts}
    # Git adds the commit's name where one name cannot hold both.
    assert {name.partition("~")[0]: conflict.kind for name, conflict in found.items()} == {
        "text": "content",
        "deleted here": "modify-delete",
        "deleted there": "modify-delete",
        "renamed here": "rename-delete",
        "renamed twice": "rename-rename",
        "renamed to this": "rename-rename",
        "renamed to that": "rename-rename",
        "binary": "binary",
        "typed": "file-type",
        "caf\udce9": "content",
        "added": "add-add",
    }
    assert found["text"].hunks == (
        # Changes that touch each other, or have less than a line between, are one.
        ConflictHunk(
            ours_start=4, ours_lines=1, theirs_start=3, theirs_lines=1, base_start=3, base_lines=1
        ),
        ConflictHunk(
            ours_start=21,
            ours_lines=1,
            theirs_start=20,
            theirs_lines=2,
            base_start=20,
            base_lines=1,
        ),
    )
    assert found["added"].hunks == (
        ConflictHunk(
            ours_start=1, ours_lines=1, theirs_start=1, theirs_lines=2, base_start=1, base_lines=0
        ),
    )
    assert found["binary"].hunks == ()
    assert {conflict.project_name for conflict in found.values()} == {"shop"}


def commit_of(repository: Any, name: str, lines: list[str]) -> None:
    repository.commit({name: "".join(f"{line}\n" for line in lines)})


def test_the_places_are_those_that_git_marks(repository: Any, tmp_path: Path) -> None:
    """Random edits on both sides, against the conflict markers of `git merge-file --diff3`."""
    rng = random.Random(4)
    base = [f"line {number}" for number in range(60)]
    names = [f"file{number}" for number in range(25)]
    sides: dict[str, tuple[list[str], list[str]]] = {}
    for name in names:
        sides[name] = (_edited(rng, base, "ours"), _edited(rng, base, "theirs"))

    def commit(which: int | None) -> str:
        files: dict[str | bytes, str | bytes] = {
            name: "".join(f"{line}\n" for line in (base if which is None else sides[name][which]))
            for name in names
        }
        return str(repository.commit(files))

    commit(None)
    repository.git("checkout", "-qb", "theirs")
    theirs = commit(1)
    repository.git("checkout", "-q", "main")
    ours = commit(0)
    found = {c.path: c for c in read_conflicts(repository.path, ours, theirs, "p")}
    several = 0
    for name in names:
        marked = _marked(tmp_path, base, *sides[name])
        conflict = found.get(name, Conflict(path=name, kind="content"))
        assert [_parts(hunk, base, *sides[name]) for hunk in conflict.hunks] == marked, name
        several += len(marked) > 1
    assert several > 5


def _edited(rng: random.Random, base: list[str], who: str) -> list[str]:
    lines: list[str] = []
    for line in base:
        what = rng.random()
        if what < 0.08:
            lines.append(f"{who} {line}")
        elif what < 0.12:
            lines += [line, f"{who} after {line}"]
        elif what > 0.05 + 0.07 + 0.8:
            continue
        else:
            lines.append(line)
    return lines


def _parts(
    hunk: ConflictHunk, base: list[str], ours: list[str], theirs: list[str]
) -> tuple[list[str], ...]:
    return (
        ours[hunk.ours_start - 1 : hunk.ours_start - 1 + hunk.ours_lines],
        base[hunk.base_start - 1 : hunk.base_start - 1 + hunk.base_lines],
        theirs[hunk.theirs_start - 1 : hunk.theirs_start - 1 + hunk.theirs_lines],
    )


def _marked(
    directory: Path, base: list[str], ours: list[str], theirs: list[str]
) -> list[tuple[list[str], ...]]:
    for name, lines in (("base", base), ("ours", ours), ("theirs", theirs)):
        (directory / name).write_text("".join(f"{line}\n" for line in lines))
    command = ["git", "merge-file", "-p", "--diff3", "ours", "base", "theirs"]
    text = subprocess.run(command, cwd=directory, capture_output=True, text=True).stdout
    pattern = r"<<<<<<< ours\n(.*?)\|\|\|\|\|\|\| base\n(.*?)=======\n(.*?)>>>>>>> theirs\n"
    return [
        tuple(part.splitlines() for part in match.groups())
        for match in re.finditer(pattern, text, re.DOTALL)
    ]


def test_more_places_than_fit_are_counted(repository: Any) -> None:
    """A file with very many conflicts names the first of them."""
    repository.commit({"text": numbered(1000)})
    repository.git("checkout", "-qb", "theirs")
    every = {f"l{number}": "theirs" for number in range(1, 1000, 5)}
    theirs = repository.commit({"text": numbered(1000, **every)})
    repository.git("checkout", "-q", "main")
    ours = repository.commit({"text": numbered(1000, **dict.fromkeys(every, "ours"))})
    (conflict,) = read_conflicts(repository.path, ours, theirs, "p")
    assert len(conflict.hunks) == HUNKS_MAX
    assert conflict.hunks_omitted == 200 - HUNKS_MAX
