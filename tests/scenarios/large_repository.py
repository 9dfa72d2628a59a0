"""A large repository, edits to it, and the same done with nothing but git, for comparison."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

LINES = 30
"""Lines of a file in the beginning."""


class Size(NamedTuple):
    """How much there is."""

    files: int
    commits: int
    plans: int


def git(path: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run git as a user would, who is called Dev."""
    who = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Dev"), ("EMAIL", "dev@example.com"))
    }
    return subprocess.run(
        ["git", *args], cwd=path, env={**os.environ, **who}, check=check, capture_output=True
    )


def line(path: Path, *args: str) -> str:
    """The one line that a git command prints."""
    return git(path, *args).stdout.decode().strip()


def file_name(number: int) -> str:
    """Name of a file of the repository."""
    return f"part-{number % 37}/module_{number}.txt"


def make_repository(path: Path, size: Size, chance: random.Random) -> None:
    """Make a repository whose first commit has all files, and each later one changes some."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    contents = {
        number: [f"{number}: {n} {chance.random()}" for n in range(LINES)]
        for number in range(size.files)
    }
    stream = []
    for commit in range(size.commits):
        changed = range(size.files) if commit == 0 else chance.sample(range(size.files), 3)
        before = f"from :{commit}\n" if commit else ""
        stream.append(
            f"commit refs/heads/main\nmark :{commit + 1}\n"
            f"committer Dev <dev@example.com> {10**9 + commit} +0000\ndata 7\nchange\n{before}"
        )
        for number in changed:
            if commit:
                contents[number][chance.randrange(LINES)] = f"{number}: changed in {commit}"
            text = "\n".join(contents[number]) + "\n"
            stream.append(f"M 100644 inline {file_name(number)}\ndata {len(text)}\n{text}\n")
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=path, input="".join(stream).encode(), check=True
    )
    git(path, "reset", "-q", "--hard", "main")


def some_edits(number: int, size: Size, chance: random.Random) -> list[dict[str, Any]]:
    """What one plan does; most plans touch files of their own, some those of others."""
    edits: list[dict[str, Any]] = []
    hot = chance.random() < 0.5
    for _ in range(chance.randrange(1, 6)):
        # A few files and lines that many want to change: there will be conflicts.
        chosen = chance.randrange(2) if hot else chance.randrange(size.files)
        at = chance.choice([3, 15]) if hot else chance.randrange(LINES)
        edits.append(
            {"do": "edit", "name": file_name(chosen), "line": at, "text": f"plan {number}"}
        )
    for do, likely in (("create", 0.5), ("delete", 0.2), ("rename", 0.3), ("binary", 0.3)):
        if chance.random() < likely:
            name = file_name(chance.randrange(size.files))
            edits.append({"do": do, "name": name, "to": f"new/{do}-{number}"})
    if chance.random() < 0.2:
        edits.append({"do": "executable", "name": file_name(chance.randrange(size.files))})
    return edits


def make_edits(top: Path, edits: list[dict[str, Any]]) -> None:
    """Change a work tree; a file that is gone is left alone."""
    (top / "new").mkdir(exist_ok=True)
    for edit in edits:
        path, to = top / edit["name"], top / edit.get("to", "")
        if edit["do"] == "create":
            to.write_text("one\ntwo\nthree\n")
        elif edit["do"] == "binary":
            to.write_bytes(bytes(range(256)) * 3)
        elif not path.exists():
            continue
        elif edit["do"] == "edit":
            lines = path.read_text().splitlines()
            lines[edit["line"]] = edit["text"]
            path.write_text("\n".join(lines) + "\n")
        elif edit["do"] == "delete":
            path.unlink()
        elif edit["do"] == "rename":
            path.rename(to)
        elif edit["do"] == "executable":
            path.chmod(0o755)


def numstat(path: Path, before: str, after: str) -> dict[str, tuple[int | None, int | None]]:
    """What git counts between two commits, by the name after; None for binary files."""
    fields = iter(git(path, "diff", "--numstat", "-z", before, after).stdout.split(b"\0")[:-1])
    counts = {}
    for field in fields:
        added, removed, name = field.split(b"\t", 2)
        if not name:
            next(fields)
            name = next(fields)
        pair = [None if count == b"-" else int(count) for count in (added, removed)]
        counts[os.fsdecode(name)] = (pair[0], pair[1])
    return counts


class Mirror:
    """The same merges, with plain git, in a clone."""

    def __init__(self, origin: Path, path: Path) -> None:
        git(origin.parent, "clone", "-q", str(origin), str(path))
        self.path = path
        self.commits = {line(path, "rev-parse", "HEAD"): line(path, "rev-parse", "HEAD")}
        """Commit here for each commit of the project."""

    def branch(self, name: str, base: str, edits: list[dict[str, Any]]) -> None:
        """Do a plan's work on a branch of its own, from where the plan started."""
        git(self.path, "checkout", "-q", "-b", name, self.commits[base])
        make_edits(self.path, edits)
        git(self.path, "add", "-A")
        git(self.path, "commit", "-q", "--allow-empty", "-m", name)

    def merge(self, name: str, into: str, after: str | None = None) -> list[str]:
        """Merge a plan's branch into what the project was at; names the files in conflict."""
        git(self.path, "checkout", "-q", "--detach", self.commits[into])
        merged = git(self.path, "merge", "-q", "--no-edit", name, check=False)
        if merged.returncode:
            unmerged = git(self.path, "diff", "--name-only", "-z", "--diff-filter=U").stdout
            git(self.path, "merge", "--abort")
            return sorted(os.fsdecode(each) for each in unmerged.split(b"\0") if each)
        if after is not None:
            self.commits[after] = line(self.path, "rev-parse", "HEAD")
        return []

    def tree(self, commit: str) -> str:
        """Id of the tree that stands for a commit of the project."""
        return line(self.path, "rev-parse", f"{self.commits[commit]}^{{tree}}")


if __name__ == "__main__":
    make_edits(Path.cwd(), json.loads(Path(sys.argv[1]).read_text()))
    sys.exit(int(sys.argv[2]))
