"""The main job, from an action of the host's to the record: who did what, in order."""

from __future__ import annotations

from tests.scenarios.stories import API_KEY, PASSWORD, WRONG_PASSWORD, Trail


def test_the_trail_tells_it_in_order_and_of_whom(main_job: Trail) -> None:
    phases = {"plan.phase_changed"}
    told = [
        (entry["type"], entry["user_identity"])
        for entry in main_job.entries
        if entry["type"] not in phases
    ]
    assert told == [
        ("audit.opened", None),
        ("user.created", "installer"),
        ("auth.failed", "alice"),
        ("auth.succeeded", "alice"),
        ("session.created", "alice"),
        ("config.changed", "alice"),
        ("plan.created", "alice"),
        ("sandbox.created", "alice"),
        ("validation.passed", "alice"),
        *[("resource.modified", "alice")] * 11,
        ("plan.apply_completed", "alice"),
        ("plan.applied", "alice"),
        ("sandbox.released", "alice"),
        ("plan.created", "alice"),
        ("sandbox.created", "alice"),
        ("sandbox.released", "bob"),
        ("plan.cancelled", "bob"),
        ("entity.deleted", "alice"),
        ("session.closed", "alice"),
        ("audit.closed", None),
    ]


def test_each_plan_goes_through_its_phases(main_job: Trail) -> None:
    first, second = (entry["plan_id"] for entry in main_job.of("plan.created"))
    assert first != second
    went: dict[str, list[str]] = {first: [], second: []}
    for entry in main_job.of("plan.phase_changed"):
        payload = entry["payload"]
        went[entry["plan_id"]].append(f"{payload['phase_from']} > {payload['phase_to']}")
    assert went == {
        first: [
            "action > strategize",
            "strategize > execute",
            "execute > apply",
            "apply > applied",
        ],
        second: ["action > strategize", "strategize > execute", "execute > cancelled"],
    }


def test_session_and_request_are_those_of_the_caller(main_job: Trail) -> None:
    (session,) = main_job.of("session.created")
    requests = {"plan.cancelled": "req-2", "entity.deleted": "req-3", "session.closed": "req-3"}
    inside = False
    for entry in main_job.entries:
        inside |= entry["type"] == "session.created"
        if inside and entry["type"] != "audit.closed":
            assert entry["session_id"] == session["session_id"], entry["type"]
            if entry["type"] in requests:
                assert entry["correlation_id"] == requests[entry["type"]]


def test_the_ledger_is_whole(main_job: Trail) -> None:
    assert [entry["log_index"] for entry in main_job.entries] == list(range(len(main_job.entries)))
    assert [entry["producer_seq"] for entry in main_job.entries] == list(
        range(len(main_job.entries))
    )
    assert {entry["producer"] for entry in main_job.entries} == {main_job.entries[0]["producer"]}
    (closed,) = main_job.of("audit.closed")
    assert closed["payload"]["events_told"] == len(main_job.entries)
    sources = {entry["source"] for entry in main_job.entries}
    assert sources == {
        f"shop/{name}"
        for name in (
            *("audit", "auth", "sessions", "config", "plans", "sandboxes", "apply"),
            "cancellation",
        )
    }


def test_the_numbers_are_gits_own(main_job: Trail) -> None:
    (completed,) = main_job.of("plan.apply_completed")
    payload = completed["payload"]
    counts = main_job.project.numstat(payload["commit_before"], payload["commit_after"])
    assert (payload["files_changed"], payload["lines_added"], payload["lines_removed"]) == (
        len(counts),
        sum(added for added, _ in counts),
        sum(removed for _, removed in counts),
    )
    (applied,) = main_job.of("plan.applied")
    for name in ("files_changed", "lines_added", "lines_removed"):
        assert applied["payload"][name] == payload[name]
    assert len(main_job.of("resource.modified")) == len(counts)
    assert main_job.project.head == payload["commit_after"]


def test_nothing_is_left_but_the_trail(main_job: Trail) -> None:
    assert main_job.project.branches() == ["main"]
    assert main_job.project.worktrees() == 1
    assert main_job.project.git("status", "--porcelain") == b""
    assert list((main_job.directory / "audit.db.sandboxes").iterdir()) == []


def test_no_secret_is_in_any_file_but_the_setting_in_its_own(main_job: Trail) -> None:
    (changed,) = main_job.of("config.changed")
    assert changed["payload"]["new_value"].startswith("[secret hmac-sha256:")
    files = [
        *(path for path in main_job.directory.rglob("*") if path.is_file()),
        *(path for path in main_job.project.path.rglob("*") if path.is_file()),
    ]
    assert len(files) > 20
    for path in files:
        content = path.read_bytes()
        assert PASSWORD.encode() not in content, path
        assert WRONG_PASSWORD.encode() not in content, path
        if path.name != "audit.db.config.toml":
            assert API_KEY.encode() not in content, path
