"""What whichever actor deletes something tells."""

from __future__ import annotations

from typing import Literal

from minutebook.domain.event import AuditEvent


class EntityDeleted(AuditEvent, type="entity.deleted"):
    """Whichever actor deleted it: something the host had is gone."""

    entity_type: Literal["session", "plan", "config_scope", "user"]
    """What it was."""
    entity_id: str
    """Its id or name."""
    removed: tuple[str, ...]
    """What went with it, such as ``API token 'ci'``."""
