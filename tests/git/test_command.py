"""A git command of ours runs alike whatever the environment of the host is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.git.command import Author, run_git
from minutebook.domain.errors import GitError


def test_inherited_redirection_is_ignored(
    repository: Any, make_repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_DIR and its kind do not aim our commands at another repository."""
    other = make_repository("other")
    expected = repository.head
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / "index"))
    assert run_git(repository.path, "rev-parse", "HEAD").line == expected


def test_a_fresh_machine_can_commit(repository: Any) -> None:
    """No user.name, an empty home: a commit carries the identities that we give."""
    run_git(
        *(repository.path, "commit", "--allow-empty", "-m", "x"),
        author=Author.parse("Ada <ada@example.com>"),
    )
    assert repository.git("log", "-1", "--format=%an|%ae|%cn") == (
        b"Ada|ada@example.com|Minutebook\n"
    )


@pytest.mark.parametrize(
    ("identity", "name", "email"),
    [
        ("alice@example.com", "alice@example.com", "alice@example.com"),
        ("local/reviewer", "local/reviewer", "minutebook@localhost"),
        ("Ada Lovelace <ada@example.com>", "Ada Lovelace", "ada@example.com"),
        ("<<>\n", "Minutebook", "minutebook@localhost"),
        ("...", "Minutebook", "minutebook@localhost"),
        (None, "Minutebook", "minutebook@localhost"),
        ("evil\n<x>\nparent 0", "evil x parent 0", "minutebook@localhost"),
    ],
)
def test_any_identity_makes_an_author(
    repository: Any, identity: str | None, name: str, email: str
) -> None:
    """Whatever the identity is, git takes the author made of it."""
    author = Author.parse(identity)
    assert author == Author(name, email)
    run_git(repository.path, "commit", "--allow-empty", "-m", "x", author=author)
    assert repository.git("log", "-1", "--format=%an|%ae").decode().strip() == f"{name}|{email}"


def test_failure_carries_what_git_said(repository: Any) -> None:
    """The error names the command, the exit code and git's message, and what to do."""
    with pytest.raises(GitError, match=r"git cat-file .*exit 128.*nonsense(.|\n)*try again\.$"):
        run_git(repository.path, "cat-file", "-t", "nonsense")
    assert run_git(repository.path, "rev-parse", "--verify", "nonsense", check=False).exit_code


def test_a_missing_directory_or_git_is_said(
    tmp_path: Path, repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is a bare FileNotFoundError."""
    with pytest.raises(GitError, match="is not there"):
        run_git(tmp_path / "nowhere", "status")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="install git"):
        run_git(repository.path, "status")


def test_a_hanging_command_is_killed_with_what_it_started(repository: Any, tmp_path: Path) -> None:
    """At the time limit git and its filter are killed, and the error says so."""
    mark = tmp_path / "pid"
    run_git(repository.path, "config", "alias.hang", f"!echo $$ > '{mark}'; sleep 60; true")
    with pytest.raises(GitError, match="took longer"):
        run_git(repository.path, "hang", timeout_s=1.0)
    pid = int(mark.read_text())
    for _ in range(3_000):
        try:
            if ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail("the command's child lives on")
