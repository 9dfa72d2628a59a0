"""PlanApplyActor: the way of a plan's changes into its project."""

from __future__ import annotations

import hashlib
import sys

from minutebook.domain.context import bind
from minutebook.domain.plan import Phase
from tests.actors import works
from tests.actors.planning import apply, execute, known, nothing_is_left, ready
from tests.actors.project import Project
from tests.actors.stage import Stage, Workshop

PASSES = (sys.executable, "-c", "import os; assert os.path.exists('new.txt')")
FAILS = (sys.executable, "-c", "print('three tests failed'); raise SystemExit(3)")


def test_changes_reach_the_project_with_gits_own_numbers(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    with bind(identity="alice"):
        done = execute(workshop, plan_id, works.every_kind)
        applied = apply(workshop, plan_id, ["true"], ("git", "diff", "--quiet"))

    assert project.head == applied.commit_after
    assert project.git("status", "--porcelain") == b""
    counts = project.numstat(applied.commit_before, applied.commit_after)
    assert (applied.files_changed, applied.lines_added, applied.lines_removed) == (
        len(counts),
        sum(added for added, _ in counts),
        sum(removed for _, removed in counts),
    )
    assert done.files_changed == len(counts) == 11
    completed = stage.only("plan.apply_completed")
    payload = completed.payload
    assert (payload["commit_before"], payload["commit_after"]) == (
        applied.commit_before,
        applied.commit_after,
    )
    for name in ("files_changed", "lines_added", "lines_removed"):
        assert payload[name] == getattr(applied, name)
    by_kind = {name: payload[f"files_{name}"] for name in ("created", "modified", "deleted")}
    assert by_kind == {"created": 7, "modified": 2, "deleted": 1}
    assert payload["files_renamed"] == 1
    assert (payload["conflicts"], payload["files_omitted"]) == ([], 0)
    assert [v["command"] for v in payload["validations"]] == [["true"], ["git", "diff", "--quiet"]]
    assert all(v["passed"] and v["exit_code"] == 0 for v in payload["validations"])
    told = stage.only("plan.applied").payload
    assert told["resources_modified"] == [file["path"] for file in payload["files"]]
    assert told["validations"] == payload["validations"]
    assert told["apply_duration_s"] == payload["duration_s"] == applied.seconds
    assert {entry.user_identity for entry in stage.entries()[2:]} == {"alice"}
    assert known(workshop, plan_id).phase is Phase.APPLIED
    nothing_is_left(stage, project)


def test_each_file_is_told_with_sizes_digests_and_names_as_they_are(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    before = project.head
    done = execute(workshop, plan_id, works.every_kind)
    apply(workshop, plan_id)

    told = {e.payload["resource"]: e.payload for e in stage.entries("resource.modified")}
    assert set(told) == {
        "created.txt",
        "README.md",
        "deleted.txt",
        "moved.txt",
        "picture.bin",
        "tool.sh",
        "caf\udce9.txt",
        'with "quotes".txt',
        "tab\there.txt",
        "line\nend.txt",
        " lead",
    }

    def digest(commit: str, name: str) -> str:
        return "git-sha1:" + project.git("rev-parse", f"{commit}:{name}").decode().strip()

    head = project.head
    for payload in told.values():
        path = project.path / payload["resource"]
        content = path.read_bytes() if path.exists() else None
        sha256 = None if content is None else hashlib.sha256(content).hexdigest()
        assert payload.pop("sha256_after") == sha256
    assert told["deleted.txt"].pop("sha256_before") == hashlib.sha256(b"gone\nsoon\n").hexdigest()
    assert told["tool.sh"].pop("mode_changed")
    modified = told["README.md"]
    assert modified == {
        "resource": "README.md",
        "change": "modified",
        "old_path": None,
        "sandbox_path": done.sandbox.path,
        "tool_name": "tests.actors.works:every_kind",
        "bytes_before": 14,
        "bytes_after": 14,
        "digest_before": digest(before, "README.md"),
        "digest_after": digest(head, "README.md"),
        "lines_added": 1,
        "lines_removed": 1,
        "mode_changed": False,
        "sha256_before": hashlib.sha256(b"one\ntwo\nthree\n").hexdigest(),
    }
    binary, renamed, deleted = told["picture.bin"], told["moved.txt"], told["deleted.txt"]
    assert (binary["change"], binary["bytes_after"]) == ("created", 1024)
    assert binary["lines_added"] is binary["lines_removed"] is binary["digest_before"] is None
    assert (renamed["change"], renamed["old_path"]) == ("renamed", "renamed.txt")
    assert renamed["digest_before"] == renamed["digest_after"] == digest(head, "moved.txt")
    assert (deleted["change"], deleted["bytes_before"]) == ("deleted", 10)
    assert deleted["bytes_after"] is deleted["digest_after"] is None
    assert (told["tool.sh"]["change"], told["tool.sh"]["lines_added"]) == ("modified", 0)
    odd = told["caf\udce9.txt"]
    assert (odd["change"], odd["lines_added"]) == ("created", 1)
    assert (project.path / "caf\udce9.txt").read_bytes() == b"x\n"
    listed = {file["path"] for file in stage.only("plan.apply_completed").payload["files"]}
    assert listed == set(told) == set(stage.only("plan.applied").payload["resources_modified"])


def test_a_command_line_works_too(stage: Stage, workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, ["sh", "-c", "echo more >> README.md"])
    applied = apply(workshop, plan_id)
    assert (applied.files_changed, applied.lines_added, applied.lines_removed) == (1, 1, 0)
    assert stage.only("resource.modified").payload["tool_name"] == "sh"


def test_work_that_commits_itself(workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    assert execute(workshop, plan_id, works.commit_itself).files_changed == 2
    apply(workshop, plan_id)
    log = project.git("log", "--format=%s", "-3").decode().splitlines()
    assert log == ["do it", "The work's own commit", "change"]
    assert (project.path / "own.txt").exists()
    assert (project.path / "left.txt").exists()


def test_work_that_changes_nothing(stage: Stage, workshop: Workshop, project: Project) -> None:
    plan_id = ready(workshop, project)
    before = project.state()
    done = execute(workshop, plan_id, works.nothing)
    assert (done.files_changed, done.changeset_id) == (0, project.head)
    applied = apply(workshop, plan_id)
    assert (applied.files_changed, applied.commit_after) == (0, applied.commit_before)
    assert project.state() == before
    assert stage.entries("resource.modified") == []
    assert stage.only("plan.applied").payload["files_changed"] == 0


def test_a_project_that_moved_on_gets_a_merge(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    execute(workshop, plan_id, works.write)
    moved = project.commit({"theirs.txt": b"theirs\n"})
    with bind(identity="alice@example.com"):
        applied = apply(workshop, plan_id, PASSES)

    assert applied.commit_before == moved
    assert project.git("rev-list", "--parents", "-1", "HEAD").split()[1].decode() == moved
    assert project.git("log", "-1", "--format=%ae").strip() == b"alice@example.com"
    assert (project.path / "theirs.txt").exists()
    assert applied.files_changed == len(project.numstat(moved, project.head)) == 2
    assert [e.payload["resource"] for e in stage.entries("resource.modified")] == [
        "README.md",
        "new.txt",
    ]
