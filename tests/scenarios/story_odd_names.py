"""A host whose names are not what one hopes for: not UTF-8, of no letters, ending a line."""

from __future__ import annotations

from minutebook.actors import AuditSystem
from minutebook.domain import bind
from tests.actors.project import Project
from tests.scenarios.stories import WAIT_S, StoryTold

IDENTITY = "caf\udce9\n\x10 \u202egnp"


def story(system: AuditSystem, project: Project) -> None:
    """Work under such names."""
    with bind(identity=IDENTITY, on_behalf_of="\udcff", correlation_id="\x00"):
        session = system.sessions.create(actor_name="a/\udce9", client="\x1b[31m").get(
            timeout=WAIT_S
        )
        system.config.set("a.b", IDENTITY.replace("\udce9", "e")).get(timeout=WAIT_S)
        system.audit.ask(StoryTold(text=IDENTITY, project_names=("\udce9", ""))).get(timeout=WAIT_S)
        system.sessions.close(session.session_id, reason="\udce9").get(timeout=WAIT_S)
