"""A process that uses the services, and kills itself at a chosen place.

``python -m tests.crash.outboxing LEDGER PROJECT WHAT PLACE COUNT``; dies the COUNT-th time that
it comes to the PLACE, or runs until it is killed when there is none.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minutebook.actors import AuditSystem, config_file, sandbox_cleanup, sandbox_commits
from minutebook.actors.outbox import Outbox
from minutebook.domain import bind
from minutebook.domain.commands import CreateSandbox
from minutebook.domain.errors import AuthenticationFailed

WAIT_S = 60.0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def dying(function: Callable[..., Any], count: int, *, before: bool) -> Callable[..., Any]:
    """Return a function that ends the process the count-th time that it is called."""
    calls = itertools.count(1)

    def call(*args: Any, **kwargs: Any) -> Any:
        last = next(calls) == count
        if last and before:
            die()
        result = function(*args, **kwargs)
        if last:
            if isinstance(args[0], Outbox):
                args[0]._trail.teller.flush(WAIT_S)  # committed, and its row is still there
            die()
        return result

    return call


def arm(place: str, count: int) -> None:
    """Set the trap."""
    owner: Any
    owner, name = {
        "before telling": (Outbox, "_tell_untold"),
        "after committing": (Outbox, "_tell_untold"),
        "before the change": (config_file.ConfigFile, "make"),
        "after the change": (config_file.ConfigFile, "make"),
        "before making": (sandbox_cleanup, "create_sandbox"),
        "after making": (sandbox_cleanup, "create_sandbox"),
        "before removing": (sandbox_commits, "release_sandbox"),
        "after removing": (sandbox_commits, "release_sandbox"),
        "before deleting": (config_file.ConfigFile, "delete"),
        "after deleting": (config_file.ConfigFile, "delete"),
    }[place]
    setattr(owner, name, dying(getattr(owner, name), count, before=place.startswith("before")))


def sessions(system: AuditSystem, project: Path) -> None:
    session = system.sessions.create(actor_name="a").get(timeout=WAIT_S)
    other = system.sessions.create(actor_name="b").get(timeout=WAIT_S)
    system.sessions.close(session.session_id).get(timeout=WAIT_S)
    system.sessions.close(other.session_id).get(timeout=WAIT_S)
    system.sessions.delete(session.session_id).get(timeout=WAIT_S)


def auth(system: AuditSystem, project: Path) -> None:
    name = f"user-{os.urandom(8).hex()}"
    system.auth.create_user(name, "long enough").get(timeout=WAIT_S)
    token = system.auth.create_token(name, label="t").get(timeout=WAIT_S)
    for _ in range(2):
        with contextlib.suppress(AuthenticationFailed):
            system.auth.authenticate(name, "wrong").get(timeout=WAIT_S)
    system.auth.authenticate_token(token.secret).get(timeout=WAIT_S)
    with contextlib.suppress(AuthenticationFailed):
        system.auth.authenticate(name, "wrong").get(timeout=WAIT_S)
    system.auth.grant_role(name, "r").get(timeout=WAIT_S)
    with bind(identity=name):
        system.sessions.create(actor_name="a").get(timeout=WAIT_S)
    system.auth.disable_user(name).get(timeout=WAIT_S)
    system.auth.delete_user(name).get(timeout=WAIT_S)


def config(system: AuditSystem, project: Path) -> None:
    for number in range(3):
        system.config.set(f"a.key{number}", os.urandom(4).hex()).get(timeout=WAIT_S)
    system.config.unset("a.key0").get(timeout=WAIT_S)


def deletions(system: AuditSystem, project: Path) -> None:
    system.config.set("a.key0", os.urandom(4).hex()).get(timeout=WAIT_S)
    system.config.delete().get(timeout=WAIT_S)


def plans(system: AuditSystem, project: Path) -> None:
    plan = system.plans.create(action="do", project=project).get(timeout=WAIT_S)
    system.plans.strategize(plan.plan_id, strategy="so").get(timeout=WAIT_S)
    system.plans.cancel(plan.plan_id, reason="r").get(timeout=WAIT_S)
    system.plans.delete(plan.plan_id).get(timeout=WAIT_S)


def sandboxes(system: AuditSystem, project: Path) -> None:
    plan_id = f"plan-{os.urandom(8).hex()}"
    command = CreateSandbox(plan_id=plan_id, project_path=str(project))
    system.sandboxes.ask(command).get(timeout=WAIT_S)
    system.sandboxes.release(plan_id).get(timeout=WAIT_S)


STORIES = {
    "sessions": sessions,
    "auth": auth,
    "config": config,
    "deletions": deletions,
    "plans": plans,
    "sandboxes": sandboxes,
}

if __name__ == "__main__":
    ledger, repository, what, place, count = sys.argv[1:]
    opened = AuditSystem.open(ledger)
    if place:
        arm(place, int(count))
    print("ready", flush=True)
    with bind(identity="alice"):
        while True:
            STORIES[what](opened, Path(repository))
