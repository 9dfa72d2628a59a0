"""What the ConfigActor tells."""

from __future__ import annotations

from typing import Any

from minutebook.domain.event import AuditEvent


class ConfigChanged(AuditEvent, type="config.changed"):
    """ConfigActor: a setting was set or unset."""

    key: str
    """Dotted name of the setting."""
    old_value: Any = None
    """Value before; ``None`` when it had none; masked when secret."""
    new_value: Any = None
    """Value after; ``None`` when it was unset; masked when secret."""
    scope: str
    """Which layer of the configuration holds it."""
