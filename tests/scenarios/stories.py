"""What a host does with a whole system on a real repository, start to end."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from minutebook.actors import AuditSystem
from minutebook.domain import (
    AuditEvent,
    AuthenticationFailed,
    DuplicateEvent,
    MinutebookError,
    PermissionDenied,
    ProjectError,
    WorkFailed,
    bind,
)
from tests.actors import works
from tests.actors.project import Project, eventually

WAIT_S = 60.0
PASSWORD = "correct horse battery staple"
WRONG_PASSWORD = "wrong donkey accumulator nail"
API_KEY = "sk-live-0123456789abcdef"


class StoryTold(AuditEvent, type="story_test.told"):
    """An event of the host's own."""

    text: str


class Trail(NamedTuple):
    """A story's ledger, read without any code of ours, and where it all is."""

    entries: list[dict[str, Any]]
    """The rows, with the stored bytes decoded under ``payload``."""
    directory: Path
    """The ledger's, with its side files."""
    project: Project
    """The repository that plans changed."""

    def of(self, *types: str) -> list[dict[str, Any]]:
        """The entries of some types."""
        return [entry for entry in self.entries if entry["type"] in types]


def read(ledger: Path) -> list[dict[str, Any]]:
    """All rows of a ledger."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM entries ORDER BY log_index").fetchall()
    return [{**dict(row), "payload": orjson.loads(row["body"])["payload"]} for row in rows]


DYING = """
import os, signal, sys
from minutebook.actors import AuditSystem
from minutebook.domain import AuditEvent

class LastWords(AuditEvent, type="story_test.last_words"):
    text: str

system = AuditSystem.open(sys.argv[1], service="shop")
for number in range(1000):
    system.audit.tell(LastWords(text=f"words {number}"))
os.kill(os.getpid(), signal.SIGKILL)
"""
"""A process that is killed in the middle of its work."""


def told(
    directory: Path, story: Callable[[AuditSystem, Project], None], *, after_a_death: bool = False
) -> Trail:
    """Run a story in a directory of its own, and read what it left."""
    project = Project(directory / "project")
    place = directory / "trail"
    place.mkdir()
    if after_a_death:
        died = subprocess.run([sys.executable, "-c", DYING, str(place / "audit.db")])
        assert died.returncode == -signal.SIGKILL
    # A story with a death in it has checkpoints, too.
    every = 16 if after_a_death else 4096
    with AuditSystem.open(place / "audit.db", service="shop", checkpoint_every=every) as system:
        story(system, project)
    return Trail(read(place / "audit.db"), place, project)


def main_job(system: AuditSystem, project: Project) -> None:
    """Sign in, configure, one plan applied, one cancelled, and tidy up."""
    auth, plans, apply = system.auth, system.plans, system.apply
    with bind(identity="installer"):
        auth.create_user("alice", PASSWORD).get(timeout=WAIT_S)
    with pytest.raises(AuthenticationFailed):
        auth.authenticate("alice", WRONG_PASSWORD).get(timeout=WAIT_S)
    principal = auth.authenticate("alice", PASSWORD, source_address="::1").get(timeout=WAIT_S)
    with bind(identity=principal.name, correlation_id="req-1"):
        session = system.sessions.create(actor_name="local/reviewer").get(timeout=WAIT_S)
        with bind(session_id=session.session_id):
            system.config.set("provider.api_key", API_KEY).get(timeout=WAIT_S)
            plan = plans.create(action="Write", project=project.path).get(timeout=WAIT_S)
            plans.strategize(plan.plan_id, strategy="by hand").get(timeout=WAIT_S)
            apply.execute(plan.plan_id, works.every_kind).get(timeout=WAIT_S)
            apply.apply(plan.plan_id, validations=[["git", "status"]]).get(timeout=WAIT_S)
            second = plans.create(action="Sleep", project=project.path).get(timeout=WAIT_S)
            plans.strategize(second.plan_id, strategy="soundly").get(timeout=WAIT_S)
            running = apply.execute(second.plan_id, works.wait_for_go)
    (sandbox,) = _existing(system, second.plan_id)
    eventually((Path(sandbox) / "late.txt").exists)
    with bind(identity="bob", session_id=session.session_id, correlation_id="req-2"):
        plans.cancel(second.plan_id, reason="changed my mind").get(timeout=WAIT_S)
        with pytest.raises(WorkFailed):
            running.get(timeout=WAIT_S)
    with bind(identity="alice", session_id=session.session_id, correlation_id="req-3"):
        plans.delete(second.plan_id).get(timeout=WAIT_S)
        system.sessions.close(session.session_id).get(timeout=WAIT_S)


def second_thoughts(system: AuditSystem, project: Project) -> None:
    """A plan whose work decides and checks, is corrected, approved and applied; one is denied."""
    plans, apply = system.plans, system.apply
    with bind(identity="alice"):
        plan = plans.create(
            action="Greet", project=project.path, needs_approval=True, attempts_max=2
        ).get(timeout=WAIT_S)
        plans.strategize(plan.plan_id, strategy="politely").get(timeout=WAIT_S)
        apply.execute(plan.plan_id, works.greet).get(timeout=WAIT_S)
        decided = plans.decisions(plan.plan_id).get(timeout=WAIT_S)
        plans.correct(
            plan.plan_id,
            decision_id=decided[1].decision_id,
            mode="revert",
            guidance="hello",
        ).get(timeout=WAIT_S)
        apply.execute(plan.plan_id, works.greet).get(timeout=WAIT_S)
    with bind(identity="bob"):
        plans.approve(plan.plan_id, reason="friendly").get(timeout=WAIT_S)
        apply.apply(plan.plan_id).get(timeout=WAIT_S)
        child = plans.create(action="Shout", project=project.path, needs_approval=True)
        plans.deny(child.get(timeout=WAIT_S).plan_id, reason="too loud").get(timeout=WAIT_S)


def troubles(system: AuditSystem, project: Project) -> None:
    """Everything that goes wrong or away: each event of it has its real cause."""
    auth, plans, apply, sessions = system.auth, system.plans, system.apply, system.sessions
    with bind(identity="root"):
        first = StoryTold(text="first")
        system.audit.ask(first).get(timeout=WAIT_S)
        with pytest.raises(DuplicateEvent):
            system.audit.ask(StoryTold(id=first.id, text="second")).get(timeout=WAIT_S)

        auth.create_user("carol", PASSWORD).get(timeout=WAIT_S)
        token = auth.create_token("carol", label="ci").get(timeout=WAIT_S)
        auth.authenticate_token(token.secret).get(timeout=WAIT_S)
        auth.grant_role("carol", "editor").get(timeout=WAIT_S)
        with pytest.raises(PermissionDenied):
            auth.require_role("owner", user="carol").get(timeout=WAIT_S)
        lost = auth.create_token("carol", label="lost").get(timeout=WAIT_S)
        auth.revoke_token(lost.token_id).get(timeout=WAIT_S)
        with pytest.raises(AuthenticationFailed):
            auth.authenticate_token(lost.secret).get(timeout=WAIT_S)
        auth.delete_user("carol").get(timeout=WAIT_S)
        with pytest.raises(AuthenticationFailed):
            auth.authenticate_token(token.secret).get(timeout=WAIT_S)
        with pytest.raises(AuthenticationFailed):
            auth.authenticate("carol", PASSWORD).get(timeout=WAIT_S)

        failing = _ready(system, project)
        with pytest.raises(WorkFailed):
            apply.execute(failing, works.fail).get(timeout=WAIT_S)
        plans.delete(failing).get(timeout=WAIT_S)

        refused = _ready(system, project)
        apply.execute(refused, works.write).get(timeout=WAIT_S)
        with pytest.raises(ProjectError):
            apply.apply(refused, validations=[["false"]]).get(timeout=WAIT_S)

        stuck = _ready(system, project)
        apply.execute(stuck, works.write).get(timeout=WAIT_S)
        (project.path / ".git").rename(project.path / "moved.ignored")
        plans.cancel(stuck, reason="the disk is going").get(timeout=WAIT_S)
        (project.path / "moved.ignored").rename(project.path / ".git")
        system.sandboxes.release(stuck).get(timeout=WAIT_S)

        system.config.set("a.b", 1).get(timeout=WAIT_S)
        system.config.delete().get(timeout=WAIT_S)
        session = sessions.create(actor_name="a").get(timeout=WAIT_S)
        sessions.close(session.session_id).get(timeout=WAIT_S)
        sessions.delete(session.session_id).get(timeout=WAIT_S)
        with pytest.raises(MinutebookError):
            sessions.delete(session.session_id).get(timeout=WAIT_S)


def _ready(system: AuditSystem, project: Project) -> str:
    plan = system.plans.create(action="a", project=project.path).get(timeout=WAIT_S)
    system.plans.strategize(plan.plan_id, strategy="s").get(timeout=WAIT_S)
    return plan.plan_id


def _existing(system: AuditSystem, plan_id: str) -> list[str]:
    def listed() -> list[str]:
        sandboxes = system.sandboxes.list().get(timeout=WAIT_S)
        return [sandbox.path for sandbox in sandboxes if sandbox.plan_id == plan_id]

    eventually(lambda: bool(listed()))
    return listed()
