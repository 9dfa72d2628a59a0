"""A cancel while a plan is being applied: the entry says what happened, the project proves it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.moving.move import Move
from minutebook.actors.plan_merge import PlanMerge
from minutebook.domain.errors import WorkFailed
from minutebook.domain.plan import Phase
from tests.actors import works
from tests.actors.planning import known, nothing_is_left, ready
from tests.actors.project import Project, eventually
from tests.actors.stage import WAIT_S, Stage, Workshop


def applying(stage: Stage, workshop: Workshop, project: Project) -> tuple[str, Any, Path]:
    """A plan whose validation waits for a file."""
    plan_id = ready(workshop, project)
    workshop.apply.execute(plan_id, works.write).get(timeout=WAIT_S)
    mark, go = stage.directory / f"validating-{plan_id}", stage.directory / f"go-{plan_id}"
    script = f"touch '{mark}'; while [ ! -e '{go}' ]; do sleep 0.02; done"
    future = workshop.apply.apply(plan_id, validations=[["sh", "-c", script]])
    eventually(mark.exists)
    return plan_id, future, go


def test_wait_lets_it_finish(stage: Stage, workshop: Workshop, project: Project) -> None:
    plan_id, applied, go = applying(stage, workshop, project)
    head = project.head
    cancelling = workshop.plans.cancel(plan_id, reason="r", deadline=WAIT_S)
    eventually(lambda: stage.database().rows("SELECT 1 FROM cancellations") != [])
    go.touch()
    cancelled = cancelling.get(timeout=WAIT_S)

    assert applied.get(timeout=WAIT_S).files_changed == 2
    assert project.head != head
    assert (cancelled.policy, cancelled.apply_outcome) == ("wait", "applied")
    entry = stage.only("plan.cancelled")
    assert (entry.payload["policy"], entry.payload["apply_outcome"]) == ("wait", "applied")
    assert (entry.payload["phase"], entry.payload["processing_state"]) == ("apply", "processing")
    assert entry.outcome == "failure"
    assert known(workshop, plan_id).phase is Phase.APPLIED
    assert workshop.plans.cancel(plan_id, reason="x").get(timeout=WAIT_S) == cancelled
    nothing_is_left(stage, project)


def test_wait_ends_with_the_deadline(stage: Stage, workshop: Workshop, project: Project) -> None:
    """As long as nothing was moved, it is stopped then: a cancel is never without an end."""
    plan_id, applied, _ = applying(stage, workshop, project)
    before = project.head
    cancelled = workshop.plans.cancel(plan_id, reason="r", deadline=0.3).get(timeout=WAIT_S)
    with pytest.raises(WorkFailed, match="its plan was cancelled"):
        applied.get(timeout=WAIT_S)
    assert (cancelled.policy, cancelled.apply_outcome) == ("wait", "rolled_back")
    assert project.head == before
    assert known(workshop, plan_id).phase is Phase.CANCELLED


def test_rollback_stops_it_before_anything_moves(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id, applied, _ = applying(stage, workshop, project)
    before = project.head
    cancelled = workshop.plans.cancel(plan_id, reason="r", policy="rollback").get(timeout=WAIT_S)
    with pytest.raises(WorkFailed):
        applied.get(timeout=WAIT_S)
    assert project.head == before
    assert (cancelled.policy, cancelled.apply_outcome) == ("rollback", "rolled_back")
    # What the plan held is the cancellation's to release.
    assert [held.kind for held in cancelled.released] == ["git_worktree", "git_branch"]
    assert stage.entries("plan.errored") == []
    (ended,) = stage.entries("plan.apply_completed")
    assert ended.outcome == "failure"
    assert known(workshop, plan_id).phase is Phase.CANCELLED
    nothing_is_left(stage, project)


@pytest.mark.parametrize("kind", ["git", "directory"])
def test_rollback_takes_back_what_has_moved(
    stage: Stage,
    workshop: Workshop,
    project: Project,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cancel comes when the files are in the project, and before that is told."""
    if kind == "directory":
        (project.path / ".git").rename(project.path.with_name("no-git"))
    before = {path: path.read_bytes() for path in project.path.iterdir() if path.is_file()}
    plan_id = ready(workshop, project)
    workshop.apply.execute(plan_id, works.write).get(timeout=WAIT_S)
    forth, stop, stopped = Move.forth, PlanMerge.stop, threading.Event()
    seen: list[bool] = []
    answers: list[Any] = []

    def cancel_behind(move: Move) -> Any:
        moved = forth(move)
        seen.append((project.path / "new.txt").exists())
        answers.append(workshop.plans.cancel(plan_id, reason="r", policy="rollback"))
        assert stopped.wait(WAIT_S)
        return moved

    def note_stop(merge: PlanMerge, because: str, *, undo: bool = False) -> None:
        stop(merge, because, undo=undo)
        stopped.set()

    monkeypatch.setattr(Move, "forth", cancel_behind)
    monkeypatch.setattr(PlanMerge, "stop", note_stop)
    applied = workshop.apply.apply(plan_id)
    with pytest.raises(WorkFailed):
        applied.get(timeout=WAIT_S)
    assert seen == [True]
    cancelled = answers[0].get(timeout=WAIT_S)
    assert cancelled.apply_outcome == "rolled_back"
    assert before == {path: path.read_bytes() for path in project.path.iterdir() if path.is_file()}
    assert known(workshop, plan_id).phase is Phase.CANCELLED
    assert stage.entries("resource.modified") == []
    if kind == "git":
        nothing_is_left(stage, project)


def test_an_apply_that_waits_for_its_turn_is_stopped(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    """Another one has the project, and goes on to its end."""
    first, applied, go = applying(stage, workshop, project)
    second = ready(workshop, project)
    workshop.apply.execute(second, works.add_one).get(timeout=WAIT_S)
    waiting = workshop.apply.apply(second)
    eventually(lambda: known(workshop, second).phase is Phase.APPLY)
    cancelled = workshop.plans.cancel(second, reason="r", policy="rollback").get(timeout=WAIT_S)
    with pytest.raises(WorkFailed):
        waiting.get(timeout=WAIT_S)
    assert cancelled.apply_outcome == "rolled_back"
    assert known(workshop, first).phase is Phase.APPLY
    go.touch()
    assert applied.get(timeout=WAIT_S).files_changed == 2
    nothing_is_left(stage, project)
