"""Makes the files of a version, as a host leaves them that is killed; kept for ever.

Run it with the last code of a version, before the next one changes a schema::

    python -m tests.migrations.make_files tests/migrations/files/version_1.tar.gz

The archive holds a ledger and all its side files: every event of that version's catalogue,
sessions, users, tokens, settings, plans in every phase, sandboxes, an event in the outbox,
an intent of a change that was not made, and a journal that was not committed.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any, NoReturn

from minutebook.actors import AuditSystem
from minutebook.actors.config_file import ConfigFile
from minutebook.actors.outbox import Outbox
from minutebook.domain import AuditEvent, bind
from tests.actors import works
from tests.actors.project import Project, eventually
from tests.scenarios import stories

DIRECTORY = Path("/tmp/minutebook-files")
"""Where it happens: the names of projects and sandboxes in the files begin so."""

LEDGER = "audit.db"
"""Name of the ledger in the archive."""

_WAIT_S = 60.0


class OrderShipped(AuditEvent, type="files_test.order_shipped"):
    """An event of the host's own, of whose class later code knows nothing."""

    order_id: str
    note: str
    weight_g: int


def die() -> NoReturn:
    """End as a process does that is killed."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()
    raise AssertionError


def die_telling(system: AuditSystem) -> None:
    """Leave a journal of which the next system tells."""
    for number in range(3):
        system.audit.tell(OrderShipped(order_id=f"o-{number}", note="caf\udce9", weight_g=5))
    die()


def die_changing(system: AuditSystem) -> None:
    """Leave plans in every phase, an event in the outbox, and an intent."""
    project = Project(DIRECTORY / "second")
    plans, apply = system.plans, system.apply

    def ready(action: str) -> str:
        plan = plans.create(action=action, project=project.path).get(timeout=_WAIT_S)
        plans.strategize(plan.plan_id, strategy="by hand").get(timeout=_WAIT_S)
        return plan.plan_id

    with bind(identity="alice", on_behalf_of="bob", correlation_id="req-9"):
        session = system.sessions.create(actor_name="local/worker").get(timeout=_WAIT_S)
        system.auth.create_token("alice", label="ci").get(timeout=_WAIT_S)
        system.config.set("provider.timeout_s", 30).get(timeout=_WAIT_S)
        system.config.set("provider.api_key", stories.API_KEY).get(timeout=_WAIT_S)
        system.config.set("mail.pin", "1234", secret=True).get(timeout=_WAIT_S)
        plans.create(action="Created", project=project.path).get(timeout=_WAIT_S)
        ready("Strategized")
        apply.execute(ready("Executed"), works.write).get(timeout=_WAIT_S)
        plans.cancel(ready("Cancelled"), reason="not needed").get(timeout=_WAIT_S)
        running = ready("Executing")
        apply.execute(running, works.wait_for_go)
        eventually(lambda: any(DIRECTORY.glob(f"trail/*.sandboxes/{running}/late.txt")))
        system.flush(_WAIT_S)
        never: Any = lambda outbox: None  # noqa: E731
        Outbox._tell_untold = never  # type: ignore[method-assign]
        system.sessions.close(session.session_id, reason="done").get(timeout=_WAIT_S)
        deadly: Any = lambda *args, **kwargs: die()  # noqa: E731
        ConfigFile.make = deadly  # type: ignore[method-assign]
        system.config.set("provider.timeout_s", 60)
        threading.Event().wait()


def main(archive: Path) -> None:
    """Make the archive."""
    trail = DIRECTORY / "trail"
    trail.mkdir(parents=True)
    _died("telling")
    with AuditSystem.open(trail / LEDGER, service="shop") as system:
        project = Project(DIRECTORY / "project")
        stories.main_job(system, project)
        stories.troubles(system, project)
        with bind(identity="root"):
            system.auth.create_user("bob", stories.PASSWORD).get(timeout=_WAIT_S)
            system.auth.allow_delegation("bob", "alice").get(timeout=_WAIT_S)
    _died("changing")
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(trail.iterdir()):
            if not path.name.endswith((".sandboxes", "-shm")):
                tar.add(path, path.name, filter=_anonymous)


def _died(how: str) -> None:
    died = subprocess.run([sys.executable, "-m", "tests.migrations.make_files", how])
    assert died.returncode == -signal.SIGKILL


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    platform.node = lambda: "shop-1"
    name = sys.argv[1]
    if name in {"telling", "changing"}:
        with AuditSystem.open(DIRECTORY / "trail" / LEDGER, service="shop") as opened:
            (die_telling if name == "telling" else die_changing)(opened)
    else:
        main(Path(name).resolve())
