"""Several projects in one apply: all of them get their changes, or none; and what is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.apply_record import UNDOING, ApplyRecord
from minutebook.actors.base import CatchUp
from minutebook.actors.moving.move import Move
from minutebook.actors.plan_merge import PlanMerge
from minutebook.actors.reply import Reply
from minutebook.actors.work.context import WorkContext
from minutebook.domain.errors import (
    AppDatabaseError,
    MergeConflict,
    ProjectError,
    ValidationFailed,
    WorkFailed,
)
from minutebook.domain.plan import Phase
from tests.actors.planning import known
from tests.actors.project import Project, is_running
from tests.actors.stage import WAIT_S, Stage, Workshop

SECRET = "hunter2-hunter2"


@pytest.fixture
def plain(tmp_path: Path, bare_machine: Path) -> Path:
    """A project that is no repository."""
    place = tmp_path / "plain"
    place.mkdir()
    (place / "README.md").write_text("one\ntwo\nthree\n")
    (place / "run.ignored").write_text("#!/bin/sh\n")
    (place / "run.ignored").chmod(0o640)
    return place


def edit_both(ctx: WorkContext) -> None:
    for path in ctx.paths.values():
        (path / "README.md").write_text("one\nTWO\nthree\n")
        (path / "new.txt").write_text("new\n")
    (ctx.paths["plain"] / "new.txt").chmod(0o600)
    (ctx.paths["plain"] / "run.ignored").chmod(0o750)


def executed(workshop: Workshop, *projects: Path) -> str:
    plan = workshop.plans.create(action="both", projects=projects).get(timeout=WAIT_S)
    workshop.plans.strategize(plan.plan_id, strategy="so").get(timeout=WAIT_S)
    workshop.apply.execute(plan.plan_id, edit_both).get(timeout=WAIT_S)
    return plan.plan_id


def tree(place: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in place.iterdir()
        if path.is_file()
    }


def nothing_is_left(stage: Stage, project: Project) -> None:
    assert list(stage.sandbox_directory.iterdir()) == []
    assert project.branches() == ["main"]
    assert project.worktrees() == 1


def test_a_repository_and_a_directory_change_together(
    stage: Stage, workshop: Workshop, project: Project, plain: Path
) -> None:
    """Validations see both merged trees; what others did meanwhile to either is kept."""
    plan_id = executed(workshop, project.path, plain)
    project.commit({"theirs.txt": b"theirs\n"})
    (plain / "README.md").write_text("one\ntwo\nthree\nfour\n")
    check = (
        'test -f new.txt && test -f theirs.txt && echo "$MINUTEBOOK_PROJECTS" | grep -q plain'
        f" && echo password={SECRET}"
    )
    applied = workshop.apply.apply(plan_id, validations=[["sh", "-c", check]]).get(timeout=WAIT_S)
    assert project.git("show", "HEAD:README.md") == b"one\nTWO\nthree\n"
    assert project.git("status", "--porcelain") == b""
    assert tree(plain) == {
        "README.md": (b"one\nTWO\nthree\nfour\n", 0o644),
        "new.txt": (b"new\n", 0o600),
        "run.ignored": (b"#!/bin/sh\n", 0o750),
    }
    assert [(p.name, p.kind, p.files_changed) for p in applied.projects] == [
        ("project", "git", 2),
        ("plain", "directory", 3),
    ]
    assert applied.files_changed == 5
    completed = stage.only("plan.apply_completed")
    assert json.loads(completed.project_names or "") == ["project", "plain"]
    assert [p["files_changed"] for p in completed.payload["projects"]] == [2, 3]
    told = {
        (json.loads(entry.project_names or "")[0], entry.payload["resource"]): entry.payload
        for entry in stage.entries("resource.modified")
    }
    assert told["plain", "run.ignored"]["mode_changed"]
    assert set(told) == {
        *(("project", name) for name in ("README.md", "new.txt")),
        *(("plain", name) for name in ("README.md", "new.txt", "run.ignored")),
    }
    passed = stage.only("validation.passed")
    assert (passed.plan_id, passed.payload["exit_code"]) == (plan_id, 0)
    assert SECRET not in passed.body.decode()
    assert "password=[secret" in passed.payload["output_tail"]
    types = stage.types()
    assert types.index("validation.passed") < types.index("plan.apply_completed")
    nothing_is_left(stage, project)


def test_a_conflict_in_one_leaves_both(
    stage: Stage, workshop: Workshop, project: Project, plain: Path
) -> None:
    plan_id = executed(workshop, project.path, plain)
    (plain / "README.md").write_text("one\n2\nthree\n")
    before = tree(plain), project.head
    with pytest.raises(MergeConflict, match=r"'plain' in 'README\.md'"):
        workshop.apply.apply(plan_id).get(timeout=WAIT_S)
    assert (tree(plain), project.head) == before
    (conflict,) = stage.only("plan.apply_completed").payload["conflicts"]
    assert (conflict["project_name"], conflict["path"]) == ("plain", "README.md")
    assert conflict["hunks"][0]["ours_start"] == 2
    assert stage.entries("resource.modified") == []
    assert known(workshop, plan_id).phase is Phase.ERRORED
    nothing_is_left(stage, project)


def test_a_validation_that_fails_is_told_with_what_it_said(
    stage: Stage, workshop: Workshop, project: Project, plain: Path
) -> None:
    """And with all that it had started it is gone when its time is over."""
    plan_id = executed(workshop, project.path, plain)
    pids = stage.directory / "pids"
    hang = f"sleep 600 & echo $! > {pids}; echo token={SECRET}; yes | head -c 100000; wait"
    asked = workshop.apply.apply(plan_id, validations=[["sh", "-c", hang]], validation_timeout=1.0)
    with pytest.raises(ValidationFailed) as caught:
        asked.get(timeout=WAIT_S)
    assert SECRET not in str(caught.value)
    failed = stage.only("validation.failed")
    assert failed.outcome == "failure"
    assert (failed.payload["exit_code"], failed.payload["timed_out"]) == (None, True)
    assert len(failed.payload["output_tail"]) <= 4000
    assert failed.payload["output_tail"].endswith("y\ny\n")
    assert SECRET not in failed.body.decode()
    assert not is_running(int(pids.read_text()))
    nothing_is_left(stage, project)


def failing_second(monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None]) -> list[str]:
    """Do something after the second project was moved; the list names those moved."""
    moved: list[str] = []
    forth = Move.forth

    def moving(move: Move) -> None:
        forth(move)
        moved.append(Path(move.manifest.root).name)
        if len(moved) == 2:
            fail()

    monkeypatch.setattr(Move, "forth", moving)
    return moved


def test_one_that_cannot_be_moved_takes_the_others_back(
    stage: Stage,
    workshop: Workshop,
    project: Project,
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan_id = executed(workshop, project.path, plain)
    before = tree(plain), project.head

    def fail() -> None:
        raise ProjectError("a disk is full; make room.")

    moved = failing_second(monkeypatch, fail)
    with pytest.raises(ProjectError, match="disk is full"):
        workshop.apply.apply(plan_id).get(timeout=WAIT_S)
    assert moved == ["project", "plain"]
    assert (tree(plain), project.head) == before
    assert project.git("status", "--porcelain") == b""
    assert stage.only("plan.apply_completed").outcome == "failure"
    nothing_is_left(stage, project)


def test_an_apply_is_stopped_before_it_moves_and_undone_amid_it(
    stage: Stage,
    workshop: Workshop,
    project: Project,
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without `undo`, one that moves already goes on to its end."""
    merges: list[PlanMerge] = []
    run = PlanMerge.run

    def noting(merge: PlanMerge) -> Any:
        merges.append(merge)
        return run(merge)

    monkeypatch.setattr(PlanMerge, "run", noting)
    before = tree(plain), project.head
    plan_id = executed(workshop, project.path, plain)
    started = threading.Event()
    note = PlanMerge._note_process

    def noting_process(merge: PlanMerge, process: Any) -> None:
        note(merge, process)
        started.set()

    monkeypatch.setattr(PlanMerge, "_note_process", noting_process)
    asked = workshop.apply.apply(plan_id, validations=[["sleep", "600"]])
    assert started.wait(WAIT_S)
    merges[-1].stop("enough")
    with pytest.raises(WorkFailed, match="stopped: enough"):
        asked.get(timeout=WAIT_S)
    assert (tree(plain), project.head) == before

    plan_id = executed(workshop, project.path, plain)
    moved = failing_second(monkeypatch, lambda: merges[-1].stop("roll back", undo=True))
    with pytest.raises(WorkFailed, match="stopped: roll back"):
        workshop.apply.apply(plan_id).get(timeout=WAIT_S)
    assert len(moved) == 2
    assert (tree(plain), project.head) == before

    plan_id = executed(workshop, project.path, plain)
    monkeypatch.undo()
    monkeypatch.setattr(PlanMerge, "run", noting)
    failing_second(monkeypatch, lambda: merges[-1].stop("too late"))
    workshop.apply.apply(plan_id).get(timeout=WAIT_S)
    assert project.head != before[1]
    nothing_is_left(stage, project)


def test_a_step_that_could_not_be_noted_is_gone_on_from_by_the_next_look(
    stage: Stage,
    workshop: Workshop,
    project: Project,
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state in the database decides: it says that the projects are being moved."""
    plan_id = executed(workshop, project.path, plain)

    def fail() -> None:
        raise ProjectError("a disk is full; make room.")

    failing_second(monkeypatch, fail)
    step = ApplyRecord.step

    def refusing(record: ApplyRecord, recording: Any, intent: Any, kind: str, **more: Any) -> Any:
        if kind == UNDOING:
            raise AppDatabaseError("it cannot be written; make room.")
        return step(record, recording, intent, kind, **more)

    monkeypatch.setattr(ApplyRecord, "step", refusing)
    with pytest.raises(AppDatabaseError):
        workshop.apply.apply(plan_id).get(timeout=WAIT_S)
    assert known(workshop, plan_id).phase is Phase.APPLY
    assert stage.entries("plan.apply_completed") == []
    monkeypatch.undo()
    reply: Reply[None] = Reply()
    workshop.apply._inbox.deliver(CatchUp(reply))
    reply.get(timeout=WAIT_S)
    assert known(workshop, plan_id).phase is Phase.APPLIED
    assert stage.only("plan.apply_completed").payload["recovered"]
    assert tree(plain)["new.txt"] == (b"new\n", 0o600)
    assert project.git("show", "HEAD:new.txt") == b"new\n"
    nothing_is_left(stage, project)
