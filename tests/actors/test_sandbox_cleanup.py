"""SandboxCleanupActor: a git worktree for each plan, taken away to the last byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pykka import Future

from minutebook.actors.sandboxes import Sandboxes
from minutebook.domain.commands import CreateSandbox
from minutebook.domain.context import bind
from minutebook.domain.errors import (
    GitError,
    ProjectDirty,
    ProjectError,
    ProjectMissing,
    UnknownSandbox,
)
from minutebook.domain.state import Sandbox
from tests.actors.project import FILES, Project
from tests.actors.stage import WAIT_S, Stage

PLAN = "01a20b96-0000-7000-8000-000000000001"
"""An id that no plan has: the actor keeps sandboxes, not plans."""


@pytest.fixture
def sandboxes(stage: Stage) -> Sandboxes:
    """A SandboxCleanupActor's service."""
    return stage.sandboxes()


def create(sandboxes: Sandboxes, project: Project, plan_id: str = PLAN) -> Sandbox:
    command = CreateSandbox(plan_id=plan_id, project_path=str(project.path))
    future: Future[Sandbox] = sandboxes.ask(command)
    return future.get(timeout=WAIT_S)


def test_a_sandbox_is_a_worktree_on_a_branch_of_its_own_and_told(
    stage: Stage, sandboxes: Sandboxes, project: Project
) -> None:
    with bind(identity="alice"):
        sandbox = create(sandboxes, project)
    assert sandbox.path == str(stage.sandbox_directory / PLAN)
    assert (sandbox.branch, sandbox.commit) == (f"minutebook/{PLAN}", project.head)
    assert (Path(sandbox.path) / "README.md").read_bytes() == FILES["README.md"]
    assert project.branches() == ["main", sandbox.branch]
    assert project.worktrees() == 2
    assert stage.sandbox_directory.stat().st_mode & 0o777 == 0o700
    entry = stage.only("sandbox.created")
    assert entry.payload == {
        "sandbox_id": sandbox.sandbox_id,
        "kind": "git_worktree",
        "path": sandbox.path,
        "branch": sandbox.branch,
        "commit": project.head,
    }
    assert (entry.plan_id, entry.project_names) == (PLAN, '["project"]')
    assert (entry.user_identity, entry.source) == ("alice", "shop/sandboxes")


def test_a_release_frees_all_of_it_and_says_how_much(
    stage: Stage, sandboxes: Sandboxes, project: Project
) -> None:
    before = project.state()
    sandbox = create(sandboxes, project)
    (Path(sandbox.path) / "extra.ignored").write_bytes(b"x" * 1_000)
    freed = sandboxes.release(PLAN).get(timeout=WAIT_S)

    assert freed is not None
    size = 1_000 + sum(map(len, FILES.values()))
    assert (freed.bytes_freed, freed.files_freed) == (size, len(FILES) + 1)
    assert project.state() == before
    assert list(stage.sandbox_directory.iterdir()) == []
    entry = stage.only("sandbox.released")
    assert entry.payload == {
        "sandbox_id": sandbox.sandbox_id,
        "kind": "git_worktree",
        "path": sandbox.path,
        "branch": sandbox.branch,
        "bytes_freed": size,
        "files_freed": len(FILES) + 1,
        "seconds": round(freed.seconds, 6),
    }
    assert (entry.plan_id, entry.outcome) == (PLAN, "success")


def test_a_second_release_frees_and_tells_nothing_also_after_a_restart(
    stage: Stage, sandboxes: Sandboxes, project: Project
) -> None:
    sandbox = create(sandboxes, project)
    sandboxes.release(PLAN).get(timeout=WAIT_S)
    for _ in range(2):
        again = sandboxes.release(PLAN).get(timeout=WAIT_S)
        assert again is not None
        assert (again.bytes_freed, again.files_freed, again.seconds) == (0, 0, 0.0)
        assert again.path == sandbox.path
        stage.stop_services()
        sandboxes = stage.sandboxes()
    assert stage.types() == ["sandbox.created", "sandbox.released"]
    assert sandboxes.list().get(timeout=WAIT_S) == ()
    (kept,) = sandboxes.list(existing_only=False).get(timeout=WAIT_S)
    assert kept.released_at is not None


def test_an_unknown_plan_has_no_sandbox_to_release(stage: Stage, sandboxes: Sandboxes) -> None:
    with pytest.raises(UnknownSandbox, match="list"):
        sandboxes.release("nope").get(timeout=WAIT_S)
    assert stage.types() == []


def test_a_sandbox_outlives_a_restart(stage: Stage, sandboxes: Sandboxes, project: Project) -> None:
    sandbox = create(sandboxes, project)
    stage.stop_services()
    sandboxes = stage.sandboxes()
    assert sandboxes.list().get(timeout=WAIT_S) == (sandbox,)
    assert sandboxes.release(PLAN).get(timeout=WAIT_S) is not None
    assert project.worktrees() == 1


def test_a_sandbox_that_cannot_be_made_leaves_nothing(
    stage: Stage, sandboxes: Sandboxes, project: Project, tmp_path: Path
) -> None:
    (project.path / "README.md").write_text("dirty\n")
    with pytest.raises(ProjectDirty):
        create(sandboxes, project)
    project.git("checkout", "-q", ".")
    before = project.state()
    project.git("branch", f"minutebook/{PLAN}")
    with pytest.raises(GitError, match="is there already"):
        create(sandboxes, project)
    project.git("branch", "-D", f"minutebook/{PLAN}")
    missing: Future[Sandbox] = sandboxes.ask(
        CreateSandbox(plan_id=PLAN, project_path=str(tmp_path / "missing"))
    )
    with pytest.raises(ProjectMissing):
        missing.get(timeout=WAIT_S)
    (stage.sandbox_directory / PLAN).mkdir(parents=True)
    (stage.sandbox_directory / PLAN / "file").touch()
    with pytest.raises(GitError, match="is in use"):
        create(sandboxes, project)
    shutil.rmtree(stage.sandbox_directory)
    stage.sandbox_directory.write_text("a file in its place")
    with pytest.raises(ProjectError, match=r"sandboxes cannot be made in .*; make it writable\.$"):
        create(sandboxes, project)

    assert project.state() == before
    assert stage.types() == []
    assert sandboxes.list(existing_only=False).get(timeout=WAIT_S) == ()


def test_a_release_that_fails_is_told_and_can_be_done_again(
    stage: Stage, sandboxes: Sandboxes, project: Project
) -> None:
    sandbox = create(sandboxes, project)
    (project.path / ".git").rename(project.path.parent / "moved-away")
    for _ in range(2):
        with bind(identity="alice"), pytest.raises(GitError):
            sandboxes.release(PLAN).get(timeout=WAIT_S)
    failed = stage.entries("sandbox.release_failed")
    assert len(failed) == 2
    assert failed[0].payload["sandbox_id"] == sandbox.sandbox_id
    assert failed[0].payload["path"] == sandbox.path
    assert failed[0].payload["branch"] == sandbox.branch
    assert "not a git repository" in failed[0].payload["error"]
    assert (failed[0].outcome, failed[0].severity) == ("failure", "error")
    assert (failed[0].outcome_reason, failed[0].user_identity) == ("GitError", "alice")
    assert sandboxes.list().get(timeout=WAIT_S) == (sandbox,)

    (project.path.parent / "moved-away").rename(project.path / ".git")
    assert sandboxes.release(PLAN).get(timeout=WAIT_S) is not None
    assert len(stage.entries("sandbox.released")) == 1
    assert project.worktrees() == 1


def test_a_foreign_repository_in_its_place_is_left_alone(
    stage: Stage, sandboxes: Sandboxes, project: Project
) -> None:
    sandbox = create(sandboxes, project)
    shutil.rmtree(sandbox.path)
    foreign = Project(Path(sandbox.path))
    with pytest.raises(GitError, match=r"is no linked work tree of .* left alone"):
        sandboxes.release(PLAN).get(timeout=WAIT_S)
    assert (foreign.path / "README.md").exists()
    assert stage.types() == ["sandbox.created", "sandbox.release_failed"]


def test_a_sandbox_whose_project_is_gone_is_released(
    stage: Stage, sandboxes: Sandboxes, project: Project
) -> None:
    sandbox = create(sandboxes, project)
    shutil.rmtree(project.path)
    freed = sandboxes.release(PLAN).get(timeout=WAIT_S)
    assert freed is not None
    assert freed.files_freed == len(FILES)
    assert not Path(sandbox.path).exists()
    assert stage.types() == ["sandbox.created", "sandbox.released"]


def test_a_sandbox_that_somebody_removed_is_released_with_what_is_left(
    stage: Stage, sandboxes: Sandboxes, project: Project
) -> None:
    sandbox = create(sandboxes, project)
    shutil.rmtree(sandbox.path)
    freed = sandboxes.release(PLAN).get(timeout=WAIT_S)
    assert freed is not None
    assert (freed.bytes_freed, freed.files_freed) == (0, 0)
    assert project.branches() == ["main"]
    assert project.worktrees() == 1


def test_two_projects_of_one_name_have_sandboxes_side_by_side(
    sandboxes: Sandboxes, project: Project, tmp_path: Path
) -> None:
    other = Project(tmp_path / "elsewhere" / "project")
    first, second = create(sandboxes, project, "p-1"), create(sandboxes, other, "p-2")
    assert [s.plan_id for s in sandboxes.list().get(timeout=WAIT_S)] == ["p-1", "p-2"]
    sandboxes.release("p-1").get(timeout=WAIT_S)
    assert not Path(first.path).exists()
    assert Path(second.path).exists()
