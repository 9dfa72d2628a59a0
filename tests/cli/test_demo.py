"""`minutebook demo`, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import apsw
import orjson
import pytest

from minutebook.actors.cli import demo_story
from minutebook.actors.cli.demo_project import make_project
from minutebook.actors.ledger.reader import LedgerReader
from minutebook.actors.system import AuditSystem
from minutebook.domain.entry import Entry
from minutebook.domain.query import EntryFilter

STORY = (
    "audit.opened",
    "user.created",
    "auth.failed",
    "auth.succeeded",
    "session.created",
    "config.changed",
    "plan.created",
    "plan.phase_changed",
    "sandbox.created",
    "validation.passed",
    "resource.modified",
    "plan.apply_completed",
    "plan.applied",
    "plan.cancelled",
    "entity.deleted",
    "session.closed",
    "audit.closed",
)


def demo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "minutebook.actors.cli", "demo", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
    )


def entries(ledger: Path) -> list[Entry]:
    with LedgerReader(ledger) as reader:
        return list(reader.entries(EntryFilter()))


def git(project: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=project, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The ledger of one demo, and what it printed."""
    directory = tmp_path_factory.mktemp("demo")
    os.environ["TMPDIR"] = str(directory)
    try:
        result = demo("--ledger", directory / "trail.db")
    finally:
        del os.environ["TMPDIR"]
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return directory / "trail.db", result.stdout


def test_the_trail_tells_the_story_in_order(shown: tuple[Path, str]) -> None:
    """Each event of the main job is there, first occurrences in the order of the story."""
    seen = list(dict.fromkeys(entry.type for entry in entries(shown[0])))
    seen.remove("sandbox.released")  # after the apply and after the cancel
    assert tuple(seen) == STORY


def test_each_event_is_the_users(shown: tuple[Path, str]) -> None:
    """All but the system's own two events carry the identity that signed in."""
    for entry in entries(shown[0]):
        expected = None if entry.type.startswith("audit.") else "alice@example.com"
        assert entry.user_identity == expected, entry.type


def test_the_numbers_are_gits(shown: tuple[Path, str]) -> None:
    """plan.apply_completed says what `git diff --numstat` says of the same two commits."""
    (project,) = shown[0].parent.glob("minutebook-demo-*/parcels")
    (completed,) = (e for e in entries(shown[0]) if e.type == "plan.apply_completed")
    told = completed.payload
    numstat = [
        line.split("\t")
        for line in git(
            project, "diff", "--numstat", told["commit_before"], told["commit_after"]
        ).splitlines()
    ]
    assert told["files_changed"] == len(numstat) == 3
    assert told["lines_added"] == sum(int(added) for added, _, _ in numstat)
    assert told["lines_removed"] == sum(int(removed) for _, removed, _ in numstat)
    modified = {e.payload["resource"] for e in entries(shown[0]) if e.type == "resource.modified"}
    assert modified == {name for _, _, name in numstat}


def test_nothing_is_left_of_the_plans(shown: tuple[Path, str]) -> None:
    """No worktree, branch or file of either plan remains."""
    (project,) = shown[0].parent.glob("minutebook-demo-*/parcels")
    assert git(project, "worktree", "list").count("\n") == 1
    assert git(project, "branch", "--list", "minutebook/*") == ""
    assert git(project, "status", "--porcelain") == ""
    assert list(Path(f"{shown[0]}.sandboxes").iterdir()) == []


def test_what_it_printed_is_the_trail_and_what_to_run_next(shown: tuple[Path, str]) -> None:
    """A line an entry, the files, and commands."""
    ledger, printed = shown
    for entry in entries(ledger):
        assert entry.type in printed
    assert f"ledger   {ledger}" in printed
    assert f"minutebook log {ledger} --type 'plan.*'" in printed


def test_no_secret_is_in_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and keys of the demo are in no file that it leaves, byte for byte."""
    secrets_used: list[str] = []

    def remembered(length: int) -> str:
        secrets_used.append(f"secret-{len(secrets_used)}-{os.urandom(length).hex()}")
        return secrets_used[-1]

    monkeypatch.setattr("secrets.token_urlsafe", remembered)
    project = make_project(tmp_path)
    with AuditSystem.open(tmp_path / "trail.db") as system:
        demo_story.tell_story(system, project, lambda _: nullcontext())
    assert len(secrets_used) == 3
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "trail.db.app.db" for path in files)
    for path in files:
        content = path.read_bytes()
        for secret in secrets_used:
            assert secret.encode() not in content, path


def test_an_own_repository_is_copied_and_only_read(tmp_path: Path) -> None:
    """--repo works on a copy: the original's files, branches and worktrees stay as they are."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("mine\n")
    git(mine, "init", "-q")
    git(mine, "add", ".")
    git(mine, "-c", "user.name=n", "-c", "user.email=e@x.org", "commit", "-qm", "first")
    before = (git(mine, "rev-parse", "HEAD"), sorted(p.name for p in (mine / ".git").iterdir()))
    result = demo("--repo", mine, "--ledger", tmp_path / "trail.db")
    assert result.returncode == 0, result.stderr
    after = (git(mine, "rev-parse", "HEAD"), sorted(p.name for p in (mine / ".git").iterdir()))
    assert after == before
    assert (mine / "README.md").read_text() == "mine\n"
    assert git(mine, "worktree", "list").count("\n") == 1


def test_a_second_demo_adds_to_the_ledger_of_the_first(shown: tuple[Path, str]) -> None:
    """The same --ledger again works, and shows only its own entries."""
    before = len(entries(shown[0]))
    result = demo("--ledger", shown[0])
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("audit.opened") == 1
    new = entries(shown[0])[before:]
    assert {e.user_identity for e in new} == {None, "alice+2@example.com"}


@pytest.mark.parametrize("kind", ["foreign", "text", "nowhere"])
def test_a_ledger_that_it_must_not_touch_is_refused(kind: str, tmp_path: Path) -> None:
    """One line on standard error, status 2, and the file is as it was."""
    ledger = tmp_path / "other.db"
    if kind == "foreign":
        with AuditSystem.open(ledger, service="billing"):
            pass
        # What is in the write-ahead log is in the file from here on.
        apsw.Connection(str(ledger)).close()
    elif kind == "text":
        ledger.write_text("dear diary\n" * 1000)
    else:
        ledger = tmp_path / "no" / "such" / "directory.db"
    before = ledger.read_bytes() if ledger.exists() else None
    result = demo("--ledger", ledger)
    assert result.returncode == 2
    assert result.stderr.startswith("minutebook: ")
    assert result.stderr.count("\n") == 1
    assert (ledger.read_bytes() if ledger.exists() else None) == before


def test_a_directory_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    """One line that says what to do."""
    result = demo("--repo", tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "git init" in result.stderr


def test_the_payloads_are_json(shown: tuple[Path, str]) -> None:
    """Every entry's bytes are one JSON object with the envelope and a payload."""
    for entry in entries(shown[0]):
        said = orjson.loads(entry.body)
        assert said["id"] == entry.id
        assert isinstance(said["payload"], dict)
