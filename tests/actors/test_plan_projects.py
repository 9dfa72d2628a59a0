"""Plans of several projects, git repositories and plain directories; and plans of plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from minutebook.domain.errors import (
    IllegalTransition,
    InvalidCommand,
    PlanConstrained,
    ProjectsOverlap,
    UnknownPlan,
    WorkFailed,
)
from minutebook.domain.plan import DEPTH_MAX, Phase
from tests.actors import works
from tests.actors.planning import execute, known, nothing_is_left, ready
from tests.actors.project import Project
from tests.actors.stage import WAIT_S, Stage, Workshop


def make_plain(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "notes.txt").write_text("one\n")
    return path


def test_the_work_of_several_projects_runs_once_with_a_sandbox_for_each(
    stage: Stage, workshop: Workshop, project: Project, tmp_path: Path
) -> None:
    twin = Project(tmp_path / "elsewhere" / "project")
    plain = make_plain(tmp_path / "plain")
    plans = workshop.plans
    plan = plans.create(action="a", projects=[project.path, twin.path, plain]).get(timeout=WAIT_S)
    assert [(p.name, p.kind) for p in plan.projects] == [
        ("project", "git"),
        ("project-2", "git"),
        ("plain", "directory"),
    ]
    assert plans.get(plan.plan_id).get(timeout=WAIT_S) == plan
    plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
    done = execute(workshop, plan.plan_id, works.write_everywhere)

    assert [(c.project_name, c.files_changed) for c in done.changesets] == [
        ("project", 1),
        ("project-2", 1),
        ("plain", 1),
    ]
    assert done.files_changed == 3
    assert done.changeset_id == " ".join(f"{c.project_name}@{c.commit}" for c in done.changesets)
    sandboxes = workshop.sandboxes.list().get(timeout=WAIT_S)
    assert [s.kind for s in sandboxes] == ["git_worktree", "git_worktree", "directory"]
    assert all((Path(s.path) / "said.txt").read_text() == s.project_name for s in sandboxes)
    # The projects themselves are as they were.
    assert project.git("status", "--porcelain") == twin.git("status", "--porcelain") == b""
    assert [path.name for path in plain.iterdir()] == ["notes.txt"]
    checkpoints = workshop.sandboxes.checkpoint(plan.plan_id, name="all").get(timeout=WAIT_S)
    assert [(c.project_name, c.commit) for c in checkpoints] == [
        (c.project_name, c.commit) for c in done.changesets
    ]
    created = [entry.project_names for entry in stage.entries("sandbox.created")]
    assert created == ['["project"]', '["project-2"]', '["plain"]']

    cancelled = plans.cancel(plan.plan_id, reason="enough").get(timeout=WAIT_S)
    kinds = [held.kind for held in cancelled.released]
    assert kinds == ["git_worktree", "git_branch", "git_worktree", "git_branch", "directory"]
    assert stage.only("plan.cancelled").payload["progress"]["files_touched"] == 3
    nothing_is_left(stage, project)
    nothing_is_left(stage, twin)


def test_a_correction_puts_a_copied_directory_back(
    stage: Stage, workshop: Workshop, tmp_path: Path
) -> None:
    plain = make_plain(tmp_path / "plain")
    plan = workshop.plans.create(action="a", project=plain).get(timeout=WAIT_S)
    workshop.plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
    decision = workshop.plans.decide(plan.plan_id, "q", choice="c").get(timeout=WAIT_S)
    done = execute(workshop, plan.plan_id, works.note_attempt)
    copy = Path(done.sandbox.path)
    workshop.plans.correct(
        plan.plan_id, decision_id=decision.decision_id, mode="revert", guidance="anew"
    ).get(timeout=WAIT_S)
    execute(workshop, plan.plan_id, works.note_attempt)
    assert (copy / "attempts.txt").read_text() == "2 anew\n"
    freed = workshop.sandboxes.release(plan.plan_id).get(timeout=WAIT_S)
    assert freed is not None
    assert (freed.branch, freed.files_freed) == (None, 2)
    assert not any(stage.sandbox_directory.iterdir())


def test_projects_that_overlap_are_refused(
    stage: Stage, workshop: Workshop, project: Project, tmp_path: Path
) -> None:
    plain = make_plain(tmp_path / "plain")
    inner = make_plain(plain / "inner")
    (tmp_path / "link").symlink_to(project.path)
    for projects in ([project.path, tmp_path / "link"], [plain, inner], [inner, plain]):
        with pytest.raises(ProjectsOverlap, match="give each project once, and none inside"):
            workshop.plans.create(action="a", projects=projects).get(timeout=WAIT_S)
    for wrong in ({}, {"project": plain, "projects": [plain]}):
        with pytest.raises(InvalidCommand):
            workshop.plans.create(action="a", **wrong)  # type: ignore[arg-type]
    assert stage.types() == []


def test_a_plan_has_children_as_long_as_it_goes_on(workshop: Workshop, project: Project) -> None:
    plans = workshop.plans

    def child_of(parent: str | None) -> str:
        made = plans.create(action="a", project=project.path, parent_plan_id=parent)
        return made.get(timeout=WAIT_S).plan_id

    line = [child_of(None)]
    while len(line) < DEPTH_MAX:
        line.append(child_of(line[-1]))
    with pytest.raises(IllegalTransition, match="make the new plan a child of one further up"):
        child_of(line[-1])
    siblings = [line[1], child_of(line[0])]
    listed = plans.list(parent=line[0]).get(timeout=WAIT_S)
    assert [plan.plan_id for plan in listed] == siblings
    assert {plan.parent_plan_id for plan in listed} == {line[0]}
    with pytest.raises(UnknownPlan):
        child_of("nope")
    plans.cancel(line[0], reason="r").get(timeout=WAIT_S)
    with pytest.raises(IllegalTransition, match="takes no more children"):
        child_of(line[0])


def test_a_sandbox_is_made_where_one_says_limited_and_kept(
    stage: Stage, workshop: Workshop, project: Project, tmp_path: Path
) -> None:
    place = tmp_path / "place of choice"
    kept = ready(workshop, project)
    done = workshop.apply.execute(
        kept, works.write, sandbox_directory=place, keep=True, files_max=100, bytes_max=100_000
    ).get(timeout=WAIT_S)
    assert Path(done.sandbox.path) == place / kept
    assert done.sandbox.kept
    workshop.plans.cancel(kept, reason="r").get(timeout=WAIT_S)
    assert (place / kept / "new.txt").exists()
    assert workshop.sandboxes.orphans().get(timeout=WAIT_S) == ()

    for limit in ({"files_max": 6}, {"bytes_max": 1000}):
        plan_id = ready(workshop, project)
        with pytest.raises(
            PlanConstrained, match=r"has \d+ (bytes|files), where \d+ are the limit"
        ):
            workshop.apply.execute(plan_id, works.grow, **limit).get(timeout=WAIT_S)  # type: ignore[arg-type]
        plan = known(workshop, plan_id)
        assert (plan.phase, plan.ended_in) == (Phase.CONSTRAINED, Phase.EXECUTE)
        assert plan.error is not None
        assert plan.error.endswith("or give execute() a higher limit.")
        # Looked at after the first step: it went no further.
        assert plan.steps_done < 9

    # A command line has no steps, and may never end.
    plan_id = ready(workshop, project)
    endless = ["sh", "-c", "echo much more than that > big; exec sleep 600"]
    with pytest.raises(PlanConstrained, match="the limit"):
        workshop.apply.execute(plan_id, endless, bytes_max=10).get(timeout=WAIT_S)

    assert workshop.sandboxes.release(kept).get(timeout=WAIT_S) is not None
    assert not any(place.iterdir())
    late = ready(workshop, project)
    execute(workshop, late, works.write)
    assert [s.kept for s in workshop.sandboxes.keep(late).get(timeout=WAIT_S)] == [True]
    with pytest.raises(WorkFailed, match="kept"):
        raise WorkFailed("kept") if workshop.sandboxes.list().get(timeout=WAIT_S) else KeyError
    workshop.sandboxes.release(late).get(timeout=WAIT_S)
    nothing_is_left(stage, project)


def test_orphans_are_found_and_released_and_what_is_not_ours_is_left(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    sandboxes = workshop.sandboxes
    ended, lost, branch, living = (ready(workshop, project) for _ in range(4))
    for plan_id in (ended, lost, branch, living):
        execute(workshop, plan_id, works.write)
    # Not by any call: as a crash, an old backup of the database or somebody's hand leaves it.
    database = stage.database()
    database.execute("UPDATE plans SET phase = 'errored' WHERE plan_id = ?", (ended,))
    database.execute("DELETE FROM sandboxes WHERE plan_id = ?", (lost,))
    sandboxes.release(branch).get(timeout=WAIT_S)
    project.git("branch", f"minutebook/{branch}")
    database.close()
    foreign = stage.sandbox_directory / "foreign"
    foreign.mkdir()
    project.git("branch", "minutebook/not-of-any-plan")
    (stage.sandbox_directory / "odd.sandbox.json").write_text("[]")
    project.git("worktree", "add", "-q", str(stage.sandbox_directory / "mine"), "-b", "mine")

    found = {(orphan.plan_id, orphan.kind, orphan.reason) for orphan in sandboxes.orphans().get()}
    expected = {
        (ended, "git_worktree", "plan_ended"),
        (lost, "git_worktree", "no_row"),
        (branch, "git_branch", "no_row"),
    }
    assert found == expected
    gone = sandboxes.release_orphans().get(timeout=WAIT_S)
    assert {(orphan.plan_id, orphan.kind, orphan.reason) for orphan in gone} == expected
    assert sandboxes.orphans().get(timeout=WAIT_S) == ()
    released = [entry.plan_id for entry in stage.entries("sandbox.released")]
    assert sorted(map(str, released)) == sorted([branch, branch, ended, lost])
    assert sorted(project.branches()) == [
        "main",
        "mine",
        f"minutebook/{living}",
        "minutebook/not-of-any-plan",
    ]
    assert project.worktrees() == 3
    assert foreign.is_dir()
