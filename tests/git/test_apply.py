"""A plan's changes reach the project whole, merged with what it has since got, or not at all."""

from __future__ import annotations

import subprocess
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.git.apply import ScratchMerge, commit_sandbox, merge_in_scratch
from minutebook.actors.git.changes import read_changeset
from minutebook.actors.git.command import Author
from minutebook.actors.git.repository import Project, ensure_clean, inspect_project
from minutebook.actors.git.worktree import Sandbox, create_sandbox
from minutebook.domain.errors import GitError, MergeConflict, ProjectDirty, ProjectMoved
from tests.git.advancing import advance_project


@pytest.fixture
def sandbox(repository: Any, tmp_path: Path) -> Sandbox:
    return create_sandbox(inspect_project(repository.path), tmp_path / "box", "plan-1")


def scratch_merge(
    project: Project, sandbox: Sandbox, scratch: Path
) -> AbstractContextManager[ScratchMerge]:
    return merge_in_scratch(project.path, project.head, sandbox.branch, scratch, name=project.name)


def merged(repository: Any, sandbox: Sandbox, scratch: Path) -> tuple[Project, ScratchMerge]:
    project = inspect_project(repository.path)
    with scratch_merge(project, sandbox, scratch) as merge:
        pass
    return project, merge


def test_the_whole_way(repository: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    """Work is committed, merged beside the project, counted, and then the project has it."""
    before = repository.head
    (sandbox.path / "README.md").write_text("one\ntwo\nTHREE\n")
    (sandbox.path / "new.txt").write_text("new\n")
    (sandbox.path / "src/app.py").unlink()
    commit_sandbox(sandbox.path, "Do it", Author.parse("Ada <ada@example.com>"))
    state = repository.state()
    project = inspect_project(repository.path)
    with scratch_merge(project, sandbox, tmp_path / "scratch") as merge:
        assert repository.state()[:2] == state[:2]
        assert (merge.path / "new.txt").exists()
        changeset = read_changeset(merge.path, merge.before, merge.after)
    assert not (tmp_path / "scratch").exists()
    assert repository.state() == state
    advance_project(project, merge.before, merge.after)
    assert (merge.before, merge.after) == (before, repository.head)
    assert repository.git("symbolic-ref", "HEAD") == b"refs/heads/main\n"
    assert repository.git("status", "--porcelain") == b""
    assert (repository.path / "new.txt").read_text() == "new\n"
    assert not (repository.path / "src/app.py").exists()
    shown = repository.git("diff", "--numstat", before, "HEAD").decode().splitlines()
    assert shown == [f"{f.lines_added}\t{f.lines_removed}\t{f.path}" for f in changeset.files]
    assert repository.git("log", "-1", "--format=%an %s") == b"Ada Do it\n"


def test_a_project_that_went_on_keeps_both_sides(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The merge has the project's later commits, and the changeset only the plan's part."""
    (sandbox.path / "plan.txt").write_text("plan\n")
    commit_sandbox(sandbox.path, "plan")
    later = repository.commit({"user.txt": "user\n"})
    project, merge = merged(repository, sandbox, tmp_path / "scratch")
    advance_project(project, merge.before, merge.after)
    assert merge.before == later
    assert (repository.path / "plan.txt").exists()
    assert (repository.path / "user.txt").exists()
    assert repository.git("rev-list", "--parents", "-1", "HEAD").split()[1].decode() == later
    changeset = read_changeset(repository.path, merge.before, merge.after)
    assert [file.path for file in changeset.files] == ["plan.txt"]


def test_a_conflict_names_its_files_and_touches_nothing(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Every file in conflict is in `paths`; the project and the disk are as before."""
    (sandbox.path / "README.md").write_text("plan\n")
    (sandbox.path / "src/app.py").unlink()
    (sandbox.path / "fine").touch()
    commit_sandbox(sandbox.path, "plan")
    repository.commit({"README.md": "user\n", "src/app.py": "user\n"})
    state = repository.state()
    with pytest.raises(MergeConflict) as caught:
        merged(repository, sandbox, tmp_path / "scratch")
    assert sorted(caught.value.paths) == ["README.md", "src/app.py"]
    assert repository.state() == state
    assert not (tmp_path / "scratch").exists()


def test_conflicts_are_not_resolved_from_memory(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """With rerere and its automatic update on, a conflict seen before is still a conflict."""
    for name in ("rerere.enabled", "rerere.autoUpdate"):
        repository.git("config", name, "true")
    (sandbox.path / "README.md").write_text("plan\n")
    tip = commit_sandbox(sandbox.path, "plan")
    user = repository.commit({"README.md": "user\n"})
    with pytest.raises(subprocess.CalledProcessError):
        repository.git("merge", tip)
    repository.commit({"README.md": "both\n"})
    repository.git("reset", "-q", "--hard", user)
    with pytest.raises(MergeConflict):
        merged(repository, sandbox, tmp_path / "scratch")


def test_nothing_changed_is_the_same_commit(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """No empty commit is made, and advancing to it does nothing."""
    assert commit_sandbox(sandbox.path, "nothing") == sandbox.base
    project, merge = merged(repository, sandbox, tmp_path / "scratch")
    assert merge.before == merge.after == repository.head
    advance_project(project, merge.before, merge.after)


def test_commits_of_the_work_itself_are_kept(repository: Any, sandbox: Sandbox) -> None:
    """What the work committed stays, and the rest is added on top."""
    (sandbox.path / "a").touch()
    repository.git("add", "a", cwd=sandbox.path)
    repository.git("commit", "-qm", "own", cwd=sandbox.path)
    own = repository.git("rev-parse", "HEAD", cwd=sandbox.path).decode().strip()
    assert commit_sandbox(sandbox.path, "rest") == own
    (sandbox.path / "b").touch()
    assert commit_sandbox(sandbox.path, "rest") != own
    assert repository.git("rev-parse", "HEAD~1", cwd=sandbox.path).decode().strip() == own


def test_work_that_git_would_lose_is_refused(repository: Any, sandbox: Sandbox) -> None:
    """Another branch, a repository inside, an open conflict: each an error, nothing committed."""
    nested = sandbox.path / "nested"
    repository.git("init", "-q", str(nested))
    repository.git("commit", "-q", "--allow-empty", "-m", "x", cwd=nested)
    with pytest.raises(GitError, match="nested"):
        commit_sandbox(sandbox.path, "x")
    (nested / ".git").rename(sandbox.path.parent / "aside")
    nested.rmdir()
    repository.git("checkout", "-q", "-b", "elsewhere", cwd=sandbox.path)
    (sandbox.path / "README.md").write_text("elsewhere\n")
    with pytest.raises(GitError, match="elsewhere"):
        commit_sandbox(sandbox.path, "x")
    repository.git("commit", "-qam", "x", cwd=sandbox.path)
    repository.git("checkout", "-q", sandbox.branch, cwd=sandbox.path)
    (sandbox.path / "README.md").write_text("here\n")
    repository.git("commit", "-qam", "x", cwd=sandbox.path)
    with pytest.raises(subprocess.CalledProcessError):
        repository.git("merge", "elsewhere", cwd=sandbox.path)
    with pytest.raises(GitError, match=r"conflicts in 'README\.md'"):
        commit_sandbox(sandbox.path, "x")


def test_a_dirty_project_is_not_advanced(repository: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    """An edit that came after the merge stays as it is."""
    (sandbox.path / "README.md").write_text("plan\n")
    commit_sandbox(sandbox.path, "plan")
    project, merge = merged(repository, sandbox, tmp_path / "scratch")
    repository.write({"README.md": "edit"})
    with pytest.raises(ProjectDirty, match=r"README\.md"):
        advance_project(project, merge.before, merge.after)
    repository.git("checkout", "-q", "README.md")
    repository.write({"src/app.py": "an edit that the merge would leave alone"})
    with pytest.raises(ProjectDirty, match=r"app\.py"):
        advance_project(project, merge.before, merge.after)
    assert repository.head == merge.before
    assert (repository.path / "src/app.py").read_text().startswith("an edit")


def test_a_project_that_moved_is_not_advanced(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Another commit, or another branch at the same commit, is a project that moved."""
    (sandbox.path / "a").touch()
    commit_sandbox(sandbox.path, "plan")
    project, merge = merged(repository, sandbox, tmp_path / "scratch")
    repository.git("checkout", "-q", "-b", "other")
    with pytest.raises(ProjectMoved, match="'other'"):
        advance_project(project, merge.before, merge.after)
    repository.git("checkout", "-q", "main")
    repository.commit({"user": "x"})
    with pytest.raises(ProjectMoved):
        advance_project(project, merge.before, merge.after)
    assert not (repository.path / "a").exists()


def test_ignored_files_of_the_user_are_not_overwritten(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A plan that brings a file which the user keeps ignored is refused, and the file stays."""
    repository.commit({".gitignore": ".env\n"})
    repository.write({".env": "the user's secret"})
    (sandbox.path / ".env").write_text("plan\n")
    commit_sandbox(sandbox.path, "plan")
    project, merge = merged(repository, sandbox, tmp_path / "scratch")
    with pytest.raises(ProjectDirty, match=r"\.env"):
        advance_project(project, merge.before, merge.after)
    assert (repository.path / ".env").read_text() == "the user's secret"
    assert repository.head == merge.before
    ensure_clean(repository.path)


def test_a_detached_head_moves_alone(repository: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    """Where no branch is checked out, none is moved."""
    main = repository.head
    repository.git("checkout", "-q", "--detach")
    (sandbox.path / "a").touch()
    commit_sandbox(sandbox.path, "plan")
    project, merge = merged(repository, sandbox, tmp_path / "scratch")
    advance_project(project, merge.before, merge.after)
    assert repository.head == merge.after
    assert repository.git("rev-parse", "main").decode().strip() == main


def test_the_users_settings_and_hooks_do_not_get_in_the_way(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Failing hooks, signing, merge options: the way is the same."""
    for hook in ("pre-commit", "commit-msg", "pre-merge-commit", "post-merge", "post-checkout"):
        path = repository.path / ".git/hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\nexit 1\n")
        path.chmod(0o755)
    for name, value in (
        ("commit.gpgSign", "true"),
        ("gpg.program", "false"),
        ("merge.ff", "only"),
        ("merge.verifySignatures", "true"),
        ("merge.log", "true"),
        ("branch.main.mergeOptions", "--squash --verify-signatures"),
    ):
        repository.git("config", name, value)
    (sandbox.path / "plan.txt").write_text("plan\n")
    commit_sandbox(sandbox.path, "plan")
    repository.write({"user.txt": "x"})
    repository.git("add", "-A")
    repository.git("-c", "core.hooksPath=/dev/null", "commit", "--no-gpg-sign", "-qm", "user")
    project, merge = merged(repository, sandbox, tmp_path / "scratch")
    advance_project(project, merge.before, merge.after)
    assert repository.head == merge.after
    assert (repository.path / "plan.txt").exists()
    assert not (tmp_path / "ran").exists()


def test_attributes_of_the_plan_count_in_the_scratch_tree(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The numbers of the scratch work tree are those that the user sees afterwards."""
    (sandbox.path / ".gitattributes").write_text("*.dat -diff\n")
    (sandbox.path / "a.dat").write_text("1\n")
    commit_sandbox(sandbox.path, "plan")
    project = inspect_project(repository.path)
    with scratch_merge(project, sandbox, tmp_path / "scratch") as merge:
        changeset = read_changeset(merge.path, merge.before, merge.after)
    advance_project(project, merge.before, merge.after)
    assert b"-\t-\ta.dat" in repository.numstat(merge.before, merge.after)
    assert [file.path for file in changeset.files if file.binary] == ["a.dat"]


def test_the_scratch_tree_is_removed_after_an_error_and_a_crash(
    repository: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    """An error inside the `with` removes it; one left by a crash is replaced."""
    scratch = tmp_path / "scratch"
    project = inspect_project(repository.path)

    def fail_inside() -> None:
        with scratch_merge(project, sandbox, scratch) as merge:
            (merge.path / "debris").touch()
            raise RuntimeError("validation failed")

    with pytest.raises(RuntimeError, match="validation"):
        fail_inside()
    assert not scratch.exists()
    repository.git("worktree", "add", "-q", "--detach", str(scratch))
    (scratch / "left").touch()
    with scratch_merge(project, sandbox, scratch) as merge:
        assert not (merge.path / "left").exists()
    assert repository.git("worktree", "list", "--porcelain").count(b"worktree ") == 2


def test_of_two_advances_at_once_one_wins(repository: Any, tmp_path: Path) -> None:
    """Two plans from one commit: one is applied, the other refused, no file is half-way."""
    project = inspect_project(repository.path)
    merges = []
    for name in ("p1", "p2"):
        sandbox = create_sandbox(project, tmp_path / name, name)
        for i in range(200):
            (sandbox.path / f"{name}-{i}").write_text("x\n")
        commit_sandbox(sandbox.path, name)
        merges.append(merged(repository, sandbox, tmp_path / f"scratch-{name}")[1])
    outcomes: list[str] = []
    barrier = threading.Barrier(2)

    def advance(merge: ScratchMerge) -> None:
        barrier.wait()
        try:
            advance_project(project, merge.before, merge.after)
            outcomes.append(merge.after)
        except (ProjectMoved, ProjectDirty, GitError) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=advance, args=(merge,)) for merge in merges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert repository.head in outcomes
    assert len({merge.after for merge in merges} & set(outcomes)) == 1
    ensure_clean(repository.path)
