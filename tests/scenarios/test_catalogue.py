"""Every class of the catalogue is told by a story, with a real cause."""

from __future__ import annotations

from minutebook.domain.event import registered_types
from tests.scenarios.stories import Trail


def test_every_event_of_the_catalogue_is_told(main_job: Trail, troubles: Trail) -> None:
    catalogue = {
        event_type
        for event_type, cls in registered_types().items()
        if cls.__module__.startswith("minutebook.")
    }
    told = {entry["type"] for trail in (main_job, troubles) for entry in trail.entries}
    assert len(catalogue) >= 19
    assert catalogue - told == set()


def test_every_kind_of_entity_is_deleted(main_job: Trail, troubles: Trail) -> None:
    deleted = main_job.of("entity.deleted") + troubles.of("entity.deleted")
    kinds = {entry["payload"]["entity_type"] for entry in deleted}
    assert kinds == {"session", "plan", "config_scope", "user"}
    (user,) = (entry for entry in deleted if entry["payload"]["entity_type"] == "user")
    assert user["payload"]["removed"] == ["API token 'ci'", "role 'editor'"]


def test_what_went_wrong_is_told_with_its_cause(troubles: Trail) -> None:
    (gap,) = troubles.of("audit.gap")
    (first,) = troubles.of("story_test.told")
    assert gap["payload"]["cause"] == "duplicate_id"
    assert gap["payload"]["event_id"] == first["id"]
    assert gap["payload"]["first_seq"] == gap["producer_seq"] == first["producer_seq"] + 1
    reasons = [(e["payload"]["method"], e["payload"]["reason"]) for e in troubles.of("auth.failed")]
    assert reasons == [
        ("token", "revoked"),
        ("token", "bad_credential"),
        ("password", "unknown_user"),
    ]
    causes = [entry["payload"]["error_type"] for entry in troubles.of("plan.errored")]
    assert causes == ["WorkFailed", "ValidationFailed"]
    (failed,) = troubles.of("sandbox.release_failed")
    assert "not a git repository" in failed["payload"]["error"]
    (cancelled,) = troubles.of("plan.cancelled")
    assert cancelled["outcome"] == "failure"
    assert [held["kind"] for held in cancelled["payload"]["failed"]] == ["git_worktree"]
    assert troubles.of("sandbox.released")[-1]["plan_id"] == cancelled["plan_id"]


def test_outcomes_tell_failures_from_successes(main_job: Trail, troubles: Trail) -> None:
    entries = main_job.entries + troubles.entries
    failures = {entry["type"] for entry in entries if entry["outcome"] == "failure"}
    assert failures == {
        "auth.failed",
        "plan.errored",
        "plan.apply_completed",
        "plan.cancelled",
        "sandbox.release_failed",
        "audit.gap",
    }
    denied = {entry["type"] for entry in entries if entry["outcome"] == "denied"}
    assert denied == {"access.denied"}
    assert {entry["outcome"] for entry in entries} == {"success", "failure", "denied"}


def test_a_dead_process_is_heard_to_the_last_word(troubles: Trail) -> None:
    """All that was told before a SIGKILL is there, and the next open tells how it came."""
    words = troubles.of("story_test.last_words")
    assert [word["payload"]["text"] for word in words] == [f"words {n}" for n in range(1000)]
    (recovered,) = troubles.of("audit.recovered")
    assert recovered["payload"]["from_producer"] == words[0]["producer"]
    assert recovered["payload"]["found"] >= recovered["payload"]["committed"]
