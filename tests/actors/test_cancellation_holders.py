"""Who holds something of a plan is asked at once, and hurts nobody else when that goes wrong."""

from __future__ import annotations

import time
from typing import Any

import pytest

from minutebook.actors.holding import Holder, Holders
from minutebook.domain.context import bind
from minutebook.domain.errors import InvalidHolder, SessionAlreadyClosed, WorkFailed
from minutebook.domain.state import Cancellation
from tests.actors import works
from tests.actors.holders import Gate, Shelf, die, refuse
from tests.actors.planning import ready
from tests.actors.project import Project, eventually
from tests.actors.stage import WAIT_S, Stage, Workshop


def cancel(workshop: Workshop, plan_id: str, **options: Any) -> Cancellation:
    return workshop.plans.cancel(plan_id, reason="r", **options).get(timeout=WAIT_S)


class Deaf(Shelf):
    """Answers something else than it was asked."""

    def held(self, plan_id: str) -> Any:
        return ["no resource"]


def test_each_holder_answers_for_itself(stage: Stage, workshop: Workshop, project: Project) -> None:
    good, nailed, dying = (
        Shelf("good", "book", "box"),
        Shelf("nailed", "picture", at_release=refuse),
        Shelf("dying", "cat", "dog", at_release=die),
    )
    twin = Shelf("twin", "book")
    mute, deaf = Shelf("mute", at_held=die), Deaf("deaf")
    for holder in (good, nailed, dying, mute, deaf, twin):
        stage.holders.register(holder)
    plan_id = ready(workshop, project)
    with bind(identity="alice"):
        cancelled = cancel(workshop, plan_id)

    entry = stage.only("plan.cancelled")
    assert entry.outcome == "failure"
    # Two have things of one name.
    released = sorted(entry.payload["released"], key=lambda held: str(held["id"]))
    assert released == [
        {"kind": "shelf", "id": thing, "bytes": 10, "files": 1, "seconds": 0.25}
        for thing in ("book", "book", "box")
    ]
    failed = {(held["kind"], held["id"]): held["error"] for held in entry.payload["failed"]}
    assert failed == {
        ("shelf", "picture"): "picture is nailed down",
        ("shelf", "cat"): "gone",
        ("shelf", "dog"): "gone",
        ("mute", plan_id): "gone",
        ("deaf", plan_id): failed["deaf", plan_id],
    }
    assert "return HeldResources" in failed["deaf", plan_id]
    assert entry.payload["pending"] == []
    assert good.released == [(plan_id, "book"), (plan_id, "box")]
    assert twin.released == [(plan_id, "book")]
    # Each has an event of its own, before the entry and because of it.
    told = stage.entries("resource.released", "resource.release_failed")
    assert len(told) == 8
    for event in told:
        assert (event.causation_id, event.plan_id) == (entry.id, plan_id)
        assert event.user_identity == "alice"
        assert event.log_index < entry.log_index
    by_id = {event.payload["resource_id"]: event for event in told}
    owners = {e.payload["owner"] for e in told if e.payload["resource_id"] == "book"}
    assert owners == {"good", "twin"}
    assert by_id["picture"].payload["error"] == "picture is nailed down"
    assert by_id["cat"].outcome_reason == "SystemExit"
    assert cancelled.entry_id == entry.id


def test_who_hangs_is_pending_and_answers_late(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    """With a deadline of half a second; the gates stand for a minute."""
    releasing, saying = Gate(), Gate()
    slow = Shelf("slow", "first", "second", at_release=releasing)
    mute = Shelf("mute", "third", at_held=saying)
    good = Shelf("good", "book")
    for holder in (slow, mute, good):
        stage.holders.register(holder)
    plan_id = ready(workshop, project)
    cancelled = cancel(workshop, plan_id, deadline=0.5)

    assert [held.id for held in cancelled.released] == ["book"]
    pending = {(held.kind, held.id): held.why for held in cancelled.pending}
    assert set(pending) == {("shelf", "first"), ("shelf", "second"), ("mute", plan_id)}
    assert pending["shelf", "first"] == ("no answer within 0.5 s: it was releasing shelf first")
    assert pending["mute", plan_id].endswith("it was saying what it holds")
    entry = stage.only("plan.cancelled")
    assert entry.outcome == "unknown"
    assert entry.payload["pending"] == [held.model_dump() for held in cancelled.pending]

    releasing.open()
    saying.open()
    eventually(lambda: len(stage.entries("resource.released")) == 4)
    late = [
        event for event in stage.entries("resource.released") if event.log_index > entry.log_index
    ]
    assert {event.payload["resource_id"] for event in late} == {"first", "second", "third"}
    assert {event.causation_id for event in late} == {entry.id}
    # What was answered stays as it was.
    assert workshop.plans.cancellation(plan_id).get(timeout=WAIT_S) == cancelled
    assert len(stage.entries("plan.cancelled")) == 1


@pytest.mark.slow
def test_a_holder_that_hangs_for_a_minute_is_not_waited_for(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    """With a deadline of two seconds, on a machine that is not busy: it answers within three."""
    gate = Gate()
    stage.holders.register(Shelf("slow", "first", at_release=gate))
    plan_id = ready(workshop, project)
    running = workshop.apply.execute(plan_id, works.wait_for_go)
    eventually((stage.sandbox_directory / plan_id / "late.txt").exists)
    started = time.monotonic()
    cancelled = cancel(workshop, plan_id, deadline=2.0)
    assert time.monotonic() - started < 3.0
    assert "first" in {held.id for held in cancelled.pending}
    named = {held.kind for held in cancelled.released}
    named |= {held.kind for held in cancelled.pending}
    assert {"process", "git_worktree", "git_branch", "shelf"} < named
    gate.open()
    with pytest.raises(WorkFailed):
        running.get(timeout=WAIT_S)


def test_a_sandbox_that_is_released_late_is_told_then(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    """Who keeps the sandboxes is busy making another one: its checkout waits for a file."""
    armed, mark, go = (stage.directory / name for name in ("armed", "checking-out", "go"))
    waits = f"touch '{mark}'; while [ ! -e '{go}' ]; do sleep 0.02; done"
    project.git("config", "filter.slow.smudge", f"[ ! -e '{armed}' ] || {{ {waits}; }}; cat")
    project.commit({".gitattributes": b"README.md filter=slow\n"})
    plan_id, other = ready(workshop, project), ready(workshop, project)
    done = workshop.apply.execute(plan_id, ["true"]).get(timeout=WAIT_S)
    armed.touch()
    busy = workshop.apply.execute(other, ["true"])
    eventually(mark.exists)
    cancelled = cancel(workshop, plan_id, deadline=0.5)
    assert ("sandboxes", plan_id) in {(held.kind, held.id) for held in cancelled.pending}
    entry = stage.only("plan.cancelled")
    assert entry.payload["sandbox_refs"] == [done.sandbox.path]
    go.touch()
    busy.get(timeout=WAIT_S)
    eventually(lambda: len(stage.entries("sandbox.released")) == 1)
    late = stage.only("sandbox.released")
    assert (late.plan_id, late.causation_id) == (plan_id, entry.id)
    assert late.log_index > entry.log_index
    assert project.branches() == ["main", f"minutebook/{other}"]


def test_a_late_answer_for_a_deleted_plan_is_told(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    gate = Gate()
    stage.holders.register(Shelf("slow", "first", at_release=gate))
    plan_id = ready(workshop, project)
    cancel(workshop, plan_id, deadline=0.2)
    workshop.plans.delete(plan_id).get(timeout=WAIT_S)
    gate.open()
    eventually(lambda: len(stage.entries("resource.released")) == 1)
    assert stage.only("resource.released").plan_id == plan_id


def test_while_it_is_under_way_it_is_not_said_to_be_done(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    gate = Gate()
    stage.holders.register(Shelf("slow", "first", at_release=gate))
    plan_id = ready(workshop, project)
    asked = workshop.plans.cancel(plan_id, reason="r")
    assert gate.reached.wait(WAIT_S)
    under_way = workshop.plans.cancellation(plan_id).get(timeout=WAIT_S)
    assert (under_way.state, under_way.complete) == ("asked", False)
    assert under_way.completed_at is None
    assert [(held.id, held.why) for held in under_way.pending] == [("first", "no answer so far")]
    plan = workshop.plans.get(plan_id).get(timeout=WAIT_S)
    assert (plan.phase, plan.processing_state) == ("cancelled", "processing")
    gate.open()
    assert asked.get(timeout=WAIT_S).complete


def test_sessions_of_the_plan_are_closed(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    with bind(plan_id=plan_id):
        mine = stage.sessions_service.create(actor_name="agent").get(timeout=WAIT_S)
    other = stage.sessions_service.create(actor_name="other").get(timeout=WAIT_S)
    assert mine.plan_id == plan_id
    cancelled = cancel(workshop, plan_id)
    assert [(held.kind, held.id) for held in cancelled.released] == [("session", mine.session_id)]
    closed = stage.only("session.closed")
    assert (closed.session_id, closed.causation_id) == (mine.session_id, cancelled.entry_id)
    assert stage.entries("resource.released") == []
    with pytest.raises(SessionAlreadyClosed):
        stage.sessions_service.close(mine.session_id).get(timeout=WAIT_S)
    stage.sessions_service.close(other.session_id).get(timeout=WAIT_S)


def test_a_lock_file_that_was_left_is_removed(
    stage: Stage, workshop: Workshop, project: Project
) -> None:
    plan_id = ready(workshop, project)
    done = workshop.apply.execute(plan_id, ["true"]).get(timeout=WAIT_S)
    lock = stage.sandbox_directory / f"{plan_id}.lock"
    lock.touch()
    cancelled = cancel(workshop, plan_id)
    assert [(held.kind, held.id) for held in cancelled.released] == [
        ("git_worktree", done.sandbox.path),
        ("git_branch", done.sandbox.branch),
        ("file_lock", str(lock)),
    ]
    assert list(stage.sandbox_directory.iterdir()) == []


def test_what_is_no_holder_is_refused() -> None:
    holders = Holders([Shelf("one")])
    assert isinstance(Shelf("x"), Holder)
    for wrong in (Shelf("one"), Shelf("plans"), Shelf(" "), object()):
        with pytest.raises(InvalidHolder):
            holders.register(wrong)  # type: ignore[arg-type]
    assert [holder.name for holder in holders.all()] == ["one"]
