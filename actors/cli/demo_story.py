"""What happens in the demo: one person, one session, two plans, on one real repository."""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from minutebook.actors.cli import demo_work
from minutebook.actors.system import AuditSystem
from minutebook.domain.context import bind
from minutebook.domain.errors import AuthenticationFailed, UserExists, WorkFailed
from minutebook.domain.plan import is_ended
from minutebook.domain.state import Applied, Cancellation

Step = Callable[[str], contextlib.AbstractContextManager[None]]
"""Shows one step of the story, from its title, while the block runs."""

_TIMEOUT_S = 60.0
_API_KEY = "provider.api_key"


@dataclass(frozen=True)
class Told:
    """What the story came to."""

    identity: str
    """Who did it all."""
    applied: Applied
    """What the first plan changed."""
    cancelled: Cancellation
    """What the second plan gave back."""
    events: int
    """How many events were committed."""


def tell_story(system: AuditSystem, project: Path, step: Step) -> Told:
    """Run the main job on a system, and return what it came to."""
    identity, password = _sign_up(system)
    with step(f"{identity} signs in, with a wrong password first"):
        with contextlib.suppress(AuthenticationFailed):
            wrong = SecretStr(secrets.token_urlsafe(9))
            system.auth.authenticate(identity, wrong, source_address="192.0.2.7").get(
                timeout=_TIMEOUT_S
            )
        principal = system.auth.authenticate(identity, password, source_address="192.0.2.7").get(
            timeout=_TIMEOUT_S
        )
    with bind(identity=principal.name, correlation_id=f"demo-{secrets.token_hex(4)}"):
        with step("an agent's session begins, under that identity"):
            session = system.sessions.create(actor_name="local/reviewer", client="demo").get(
                timeout=_TIMEOUT_S
            )
        with bind(session_id=session.session_id):
            with step("the agent is configured; the API key is masked in the trail"):
                system.config.set("model.name", "reviewer-large").get(timeout=_TIMEOUT_S)
                system.config.set("model.max_tokens", 4096).get(timeout=_TIMEOUT_S)
                system.config.set(_API_KEY, SecretStr(secrets.token_urlsafe(24))).get(
                    timeout=_TIMEOUT_S
                )
            applied = _apply_a_plan(system, project, step)
            cancelled = _cancel_a_plan(system, project, step)
            with step("the API key is removed, and the session ends"):
                system.config.unset(_API_KEY).get(timeout=_TIMEOUT_S)
                system.sessions.close(session.session_id, reason="work done").get(
                    timeout=_TIMEOUT_S
                )
    with step("all that was told is committed"):
        system.flush(timeout=_TIMEOUT_S)
    return Told(principal.name, applied, cancelled, system.health().committed)


def _sign_up(system: AuditSystem) -> tuple[str, SecretStr]:
    # A demo may be run again on its ledger, where the first Alice is.
    password = SecretStr(secrets.token_urlsafe(12))
    for number in range(1, 1000):
        name = "alice@example.com" if number == 1 else f"alice+{number}@example.com"
        with contextlib.suppress(UserExists), bind(identity=name):
            return system.auth.create_user(name, password).get(timeout=_TIMEOUT_S).name, password
    msg = "a thousand demos were run on this ledger; choose another --ledger."
    raise UserExists(msg)


def _apply_a_plan(system: AuditSystem, project: Path, step: Step) -> Applied:
    with step("a plan is made and thought through"):
        plan = system.plans.create(action="Greet people by name", project=project).get(
            timeout=_TIMEOUT_S
        )
        system.plans.strategize(plan.plan_id, strategy="one module, one document").get(
            timeout=_TIMEOUT_S
        )
    with step("its work runs in a child process, in a git worktree of its own"):
        system.apply.execute(plan.plan_id, demo_work.improve).get(timeout=_TIMEOUT_S)
    with step("its changes are merged, validated, and moved into the project"):
        compiles = (sys.executable, "-m", "compileall", "-q", "minutebook_demo")
        greets = (
            sys.executable,
            "-c",
            "import minutebook_demo.greeting as g; assert g.greeting('Ada') == 'Hello, Ada'",
        )
        return system.apply.apply(plan.plan_id, validations=(compiles, greets)).get(
            timeout=_TIMEOUT_S
        )


def _cancel_a_plan(system: AuditSystem, project: Path, step: Step) -> Cancellation:
    with step("a second plan begins to work"):
        plan = system.plans.create(action="Write everything anew", project=project).get(
            timeout=_TIMEOUT_S
        )
        system.plans.strategize(plan.plan_id, strategy="in 600 steps").get(timeout=_TIMEOUT_S)
        execution = system.apply.execute(plan.plan_id, demo_work.dawdle)
        _wait_for_steps(system, plan.plan_id, steps=3)
    with step("it is cancelled: its process ends, its worktree and branch are removed"):
        cancelled = system.plans.cancel(plan.plan_id, reason="not what was asked for").get(
            timeout=_TIMEOUT_S
        )
        with contextlib.suppress(WorkFailed):
            execution.get(timeout=_TIMEOUT_S)
    with step("the cancelled plan is deleted; the trail keeps what it was"):
        system.plans.delete(plan.plan_id).get(timeout=_TIMEOUT_S)
    return cancelled


def _wait_for_steps(system: AuditSystem, plan_id: str, *, steps: int) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        plan = system.plans.get(plan_id).get(timeout=_TIMEOUT_S)
        if plan.steps_done >= steps or is_ended(plan.phase):
            return
        time.sleep(0.02)
