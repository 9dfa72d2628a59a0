"""A real project for plans to change, driven as a user would from a shell."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

FILES: dict[str, bytes] = {
    ".gitignore": b"*.ignored\n",
    "README.md": b"one\ntwo\nthree\n",
    "deleted.txt": b"gone\nsoon\n",
    "renamed.txt": b"".join(b"line %d\n" % number for number in range(40)),
    "tool.sh": b"#!/bin/sh\n",
}


class Project:
    """A git repository with one commit of `FILES`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.commit(FILES)

    def git(self, *args: str) -> bytes:
        """Standard output of a git command."""
        identity = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Dev"), ("EMAIL", "dev@example.com"))
        }
        return subprocess.run(
            ["git", *args],
            cwd=self.path,
            env={**os.environ, **identity},
            check=True,
            capture_output=True,
        ).stdout

    def commit(self, files: dict[str, bytes]) -> str:
        """Write files, commit all, and return the commit's id."""
        for name, content in files.items():
            (self.path / name).write_bytes(content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")
        return self.head

    @property
    def head(self) -> str:
        """Id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD").decode().strip()

    def numstat(self, before: str, after: str) -> list[tuple[int, int]]:
        """Lines added and removed per file, as the user sees them; binary files as 0."""
        lines = self.git("diff", "--numstat", before, after).splitlines()
        counts = [line.split(b"\t")[:2] for line in lines]
        return [tuple(0 if n == b"-" else int(n) for n in pair) for pair in counts]  # type: ignore[misc]

    def state(self) -> tuple[object, ...]:
        """Everything that must be equal where the project was not touched."""
        return (
            self.git("rev-parse", "HEAD"),
            self.git("symbolic-ref", "HEAD"),
            self.git("status", "--porcelain", "--ignored", "-z"),
            self.git("for-each-ref"),
            self.git("worktree", "list", "--porcelain"),
            self.git("stash", "list"),
            {path.name: path.read_bytes() for path in self.path.iterdir() if path.is_file()},
        )

    def branches(self) -> list[str]:
        """Names of the local branches."""
        return self.git("branch", "--format=%(refname:short)").decode().split()

    def worktrees(self) -> int:
        """How many work trees git knows of, the project's own included."""
        return self.git("worktree", "list", "--porcelain").count(b"worktree ")


def eventually(condition: Callable[[], bool]) -> None:
    """Fail unless a condition comes true; generous, for a busy machine."""
    for _ in range(6_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
