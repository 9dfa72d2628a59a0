"""Every class of the catalogue is told by a story, with a real cause."""

from __future__ import annotations

from minutebook.domain.event import AuditEvent, registered_types
from minutebook.domain.surrogates import ESCAPE, unescape_all
from minutebook.domain.upcasting import event_from
from tests.scenarios.stories import Trail

SERVICES = {
    "AuditActor": "audit",
    "AuditSystem": "audit",
    "AuthActor": "auth",
    "CancellationOrchestrator": "cancellation",
    "ConfigActor": "config",
    "PlanApplyActor": "apply",
    "PlanLifecycleActor": "plans",
    "RetentionActor": "retention",
    "SandboxCleanupActor": "sandboxes",
    "SessionActor": "sessions",
}
"""What the ``source`` of an event says that is told by an actor."""


def catalogue() -> dict[str, type[AuditEvent]]:
    return {
        event_type: cls
        for event_type, cls in registered_types().items()
        if cls.__module__.startswith("minutebook.")
    }


def told(trails: dict[str, Trail]) -> dict[str, set[str]]:
    """The sources of each type."""
    sources: dict[str, set[str]] = {}
    for trail in trails.values():
        for entry in trail.entries:
            sources.setdefault(entry["type"], set()).add(entry["source"])
    return sources


def test_every_event_of_the_catalogue_is_told(trails: dict[str, Trail]) -> None:
    """Who adds a class adds its cause to a story, or a file ``story_<name>.py`` with one."""
    assert len(catalogue()) >= 19
    assert sorted(set(catalogue()) - set(told(trails))) == []


def test_each_event_is_told_by_whom_its_class_says(trails: dict[str, Trail]) -> None:
    """The page of events says so, too."""
    sources = told(trails)
    for event_type, cls in catalogue().items():
        tellers = (cls.__doc__ or "").partition(":")[0]
        if event_type == "audit.gap":
            continue  # stands in the place of an event, with its source
        if tellers == "Whichever actor deleted it":
            tellers = ", ".join(SERVICES)
        allowed = {f"shop/{name}" for actor, name in SERVICES.items() if actor in tellers}
        assert allowed, f"{cls.__name__}: begin its docstring with who tells it, and a colon"
        assert sources.get(event_type, set()) <= allowed, cls


def test_each_entry_reads_as_an_event_of_its_class(trails: dict[str, Trail]) -> None:
    """Of what the host's classes are known here as well; whatever the names are."""
    assert any(ESCAPE in row["user_identity"] for row in trails["odd_names"].of("story_test.told"))
    for trail in trails.values():
        for row in trail.entries:
            if row["type"] in registered_types():
                event = event_from(row["body"])
                assert (event.id, event.type) == (row["id"], row["type"])
                assert event.user_identity == unescape_all(row["user_identity"])


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
    kinds = [held["kind"] for held in cancelled["payload"]["failed"]]
    assert kinds == ["git_worktree", "git_branch"]
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
        "validation.failed",
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


def test_second_thoughts_are_told_in_their_order(second_thoughts: Trail) -> None:
    """What was decided, what was done, what was corrected, and who approved of the rest."""
    entries = [entry for entry in second_thoughts.entries if entry["plan_id"] is not None]
    first = entries[0]["plan_id"]
    told = [entry["type"] for entry in entries if entry["plan_id"] == first]
    work = ["decision.recorded", "checkpoint.created", "decision.recorded", "tool.invoked"]
    assert told == [
        *("plan.created", "plan.phase_changed", "plan.phase_changed", "sandbox.created"),
        *work,
        *("plan.phase_changed", "correction.applied"),
        *work,
        *("approval.granted", "plan.phase_changed", "resource.modified", "plan.apply_completed"),
        *("plan.phase_changed", "plan.applied", "sandbox.released"),
    ]
    (correction,) = second_thoughts.of("correction.applied")
    (checkpoint, _) = second_thoughts.of("checkpoint.created")
    payload = correction["payload"]
    decisions = [entry["payload"] for entry in second_thoughts.of("decision.recorded")]
    assert payload["original_decision_id"] == decisions[1]["decision_id"]
    assert payload["checkpoint_id"] == checkpoint["payload"]["checkpoint_id"]
    assert (payload["mode"], payload["guidance"]) == ("revert", "hello")
    assert decisions[1]["parent_decision_id"] == decisions[0]["decision_id"]
    assert [decision["choice"] for decision in decisions] == ["yes", "goodbye", "yes", "hello"]
    (granted,) = second_thoughts.of("approval.granted")
    assert (granted["user_identity"], granted["payload"]["approver"]) == ("bob", "bob")
    (denied,) = second_thoughts.of("approval.denied")
    (end,) = (e for e in entries if e["payload"].get("phase_to") == "constrained")
    assert end["plan_id"] == denied["plan_id"] != first
    assert (denied["outcome"], end["outcome"]) == ("denied", "denied")
    assert "too loud" in end["outcome_reason"]
    tools = [entry["payload"] for entry in second_thoughts.of("tool.invoked")]
    assert [tool["tool_name"] for tool in tools] == ["cat", "cat"]
    assert tools[0]["arguments"].startswith("[secret hmac-sha256:")
    assert (second_thoughts.project.path / "README.md").read_text() == "hello\n"
