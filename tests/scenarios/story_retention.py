"""What is kept, what goes, and who is forgotten."""

from __future__ import annotations

from typing import Annotated

from minutebook.actors import AuditSystem
from minutebook.domain import AuditEvent, Personal, bind
from tests.actors.project import Project
from tests.scenarios.stories import WAIT_S


class VisitorCame(AuditEvent, type="story_test.visitor_came"):
    """Somebody came."""

    visitor: str
    name: Annotated[str, Personal(subject="visitor")]


def story(system: AuditSystem, project: Project) -> None:
    """A visitor comes and is forgotten; the trail is archived, and only what is held stays."""
    retention = system.retention
    with bind(identity="carla"):
        for number in range(20):
            visitor = VisitorCame(visitor=f"v{number}", name=f"Visitor {number}")
            system.audit.tell(visitor)
        system.flush(timeout=WAIT_S)
        retention.forget("v7").get(timeout=WAIT_S)
        first = retention.hold("entries", "0-5", reason="a case").get(timeout=WAIT_S)
        retention.hold("user", "nobody", reason="another case").get(timeout=WAIT_S)
        retention.archive(project.path.parent / "archive").get(timeout=WAIT_S)
        assert retention.prune(keep=0, archived_only=True).get(timeout=WAIT_S).held == 6
        retention.lift(first.hold_id, reason="it is over").get(timeout=WAIT_S)
        (hold,) = retention.holds().get(timeout=WAIT_S)
        assert hold.value == "nobody"
