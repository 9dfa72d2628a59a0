"""What the ConfigActor tells."""

from __future__ import annotations

from typing import Any, Literal

from minutebook.domain.event import AuditEvent


class ConfigChanged(AuditEvent, type="config.changed"):
    """ConfigActor: a setting was set or unset, by command or by an edit of its file."""

    key: str
    """Dotted name of the setting."""
    old_value: Any = None
    """Value before, in that layer; ``None`` when it had none; masked when secret."""
    new_value: Any = None
    """Value after; ``None`` when it was unset; masked when secret."""
    scope: str
    """Which layer of the configuration holds it: ``file``, ``project`` or ``override``."""
    cause: Literal["set", "unset", "edited_outside"] = "set"
    """By which command; or found in the file, edited by who knows whom: then without identity."""
    file: str | None = None
    """Path of the file, where the layer has one."""
