"""Real repositories, made by the git program in a temporary directory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


class Repository:
    """A repository under test, driven as a user would from a shell."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *args: str, cwd: Path | None = None) -> bytes:
        """Standard output of git with the user's own settings and an explicit identity."""
        identity = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Dev"), ("EMAIL", "dev@example.com"))
        }
        return subprocess.run(
            ["git", *args],
            cwd=cwd or self.path,
            env={**os.environ, **identity},
            check=True,
            capture_output=True,
        ).stdout

    def write(self, files: dict[str | bytes, str | bytes]) -> None:
        """Write files by name; folders are made."""
        for name, content in files.items():
            target = self.path / os.fsdecode(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str | bytes, str | bytes] | None = None) -> str:
        """Write files, commit all, and return the commit's id."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.head

    @property
    def head(self) -> str:
        """The id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD").decode().strip()

    def numstat(self, before: str, after: str) -> bytes:
        """What the user sees with `git diff --numstat -z`."""
        return self.git("diff", "--numstat", "-z", before, after)

    def state(self) -> tuple[bytes, ...]:
        """Everything that must be equal where a project was not touched."""
        return (
            self.git("rev-parse", "HEAD"),
            self.git("status", "--porcelain", "--ignored", "-z"),
            self.git("for-each-ref"),
            self.git("worktree", "list", "--porcelain"),
            self.git("stash", "list"),
        )


@pytest.fixture(autouse=True)
def fresh_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, no system configuration and no identity, as on a new machine."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("XDG_CONFIG_HOME", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Repository]:
    """Makes a repository named `name` without a commit."""

    def make(name: str = "project", *options: str) -> Repository:
        repository = Repository(tmp_path / name)
        repository.path.mkdir()
        repository.git("init", "-q", "-b", "main", *options)
        return repository

    return make


@pytest.fixture
def repository(make_repository: Callable[..., Repository]) -> Repository:
    """A repository with a few files and one commit."""
    made = make_repository()
    made.commit({"README.md": "one\ntwo\nthree\n", "src/app.py": "print('hello')\n" * 5})
    return made
