"""A move ends as git would end it, goes back to the last byte, and survives SIGKILL anywhere."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from minutebook.actors.moving import checkout
from minutebook.actors.moving.move import Move
from minutebook.domain.errors import ProjectDirty, ProjectError, ProjectMoved
from tests.moving.trees import (
    change,
    fill,
    git,
    git_project,
    look,
    look_at_git,
    staged_directory,
    staged_git,
)


class Case(NamedTuple):
    """A project that is to be moved, and what it looks like at both ends."""

    project: Path
    move: Move
    look: Callable[[Path], object]
    before: object
    after: object


def git_case(directory: Path) -> Case:
    project = git_project(directory)
    before = look_at_git(project)
    twin = directory / "twin"
    shutil.copytree(project, twin, symlinks=True)
    git(twin, "merge", "-q", "--ff-only", "plan")
    after = look_at_git(twin)
    shutil.rmtree(twin)

    def look_as(place: Path) -> object:
        return look_at_git(place)

    worktrees = git(project, "worktree", "list", "--porcelain")
    # The twin's own place is in there.
    after = (*after[:5], worktrees.replace(before_head(before), before_head(after)), after[6])
    return Case(project, staged_git(project, directory), look_as, before, after)


def before_head(state: Any) -> bytes:
    return bytes(state[1]).strip()


def directory_case(directory: Path) -> Case:
    project = directory / "project"
    project.mkdir(parents=True)
    fill(project)
    before = look(project)
    twin = directory / "twin"
    twin.mkdir()
    fill(twin)
    change(twin)
    after = look(twin)
    shutil.rmtree(twin)
    return Case(project, staged_directory(project, directory), look, before, after)


CASES = {"git": git_case, "directory": directory_case}


@pytest.fixture(autouse=True)
def fresh_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    return CASES[request.param](tmp_path)


def test_forth_back_and_forth_again(case: Case) -> None:
    """Each end is what it should be, however often it is reached."""
    for _ in range(2):
        case.move.forth()
        case.move.forth()
        assert case.look(case.project) == case.after
        case.move.back()
        case.move.back()
        assert case.look(case.project) == case.before


def test_a_file_that_cannot_be_written_leaves_all_as_it_was(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the middle, as of a directory that may not be written."""
    replace = os.replace

    def refusing(source: Any, target: Any) -> None:
        if str(target).endswith("new name"):
            raise PermissionError(13, "Permission denied", target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", refusing)
    with pytest.raises(ProjectError, match="Permission denied"):
        case.move.forth()
    monkeypatch.undo()
    assert case.look(case.project) != case.before
    case.move.back()
    assert case.look(case.project) == case.before


def test_edits_of_others_are_refused_before_and_kept_after(case: Case) -> None:
    """Before the move, nothing is touched; amid it, only what is ours goes back."""
    (case.project / "edited").write_text("mine\n")
    with pytest.raises(ProjectDirty, match=r"edited.*create a new plan"):
        case.move.forth()
    case.move.back()
    (case.project / "edited").write_text("one\ntwo\n")
    assert case.look(case.project) == case.before
    case.move.forth()
    (case.project / "new name").write_text("mine\n")
    with pytest.raises(ProjectError, match="new name"):
        case.move.back()
    (case.project / "new name").unlink()
    (case.project / "old name").write_text("a\nb\nc\nd\ne\nf\n")
    assert case.look(case.project) == case.before


def test_another_git_command_is_not_disturbed(tmp_path: Path) -> None:
    """Its lock stays, a commit of its own too, and a lock of ours is known as ours."""
    case = git_case(tmp_path)
    lock = case.project / ".git" / "index.lock"
    lock.touch()
    with pytest.raises(ProjectDirty, match=r"index\.lock.*create a new plan\.$"):
        case.move.forth()
    case.move.back()
    lock.unlink()
    assert case.look(case.project) == case.before
    git(case.project, "commit", "-q", "--allow-empty", "-m", "theirs")
    moved = case.look(case.project)
    with pytest.raises(ProjectMoved, match=r"create a new plan\.$"):
        case.move.forth()
    assert case.look(case.project) == moved


STEPS: list[tuple[Any, str]] = [
    *((os, name) for name in ("replace", "unlink", "mkdir", "rmdir", "link", "symlink")),
    (os, "write"),
    (checkout, "run_git"),
    (shutil, "copyfile"),
    (Path, "touch"),
]
"""What changes something while a project is moved."""


def killed_at(work: Callable[[], None], step: int) -> bool:
    """Do the work in a forked child that SIGKILLs itself before a step; whether it came there."""
    child = os.fork()
    if child == 0:
        try:
            _arm(step)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGKILL
    assert os.WEXITSTATUS(status) == 0
    return False


def _arm(step: int) -> None:
    left = step

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for owner, name in STEPS:
        setattr(owner, name, counting(getattr(owner, name)))


def kill_everywhere(case: Case, stride: int) -> int:
    """Kill a move, there and back, at each stride-th step; both ends can always be reached."""
    step = 0
    while killed_at(case.move.forth, step):
        if step % 2:
            case.move.forth()
            assert case.look(case.project) == case.after, step
        case.move.back()
        assert case.look(case.project) == case.before, step
        step += stride
    case.move.forth()
    back = 0
    while killed_at(case.move.back, back):
        if back % 2:
            case.move.back()
            assert case.look(case.project) == case.before, back
        case.move.forth()
        assert case.look(case.project) == case.after, back
        back += stride
    return step + back


def test_sigkill_at_some_steps(case: Case) -> None:
    assert kill_everywhere(case, 23) > 23


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sigkill_at_every_step(case: Case) -> None:
    assert kill_everywhere(case, 1) > 40
