"""What may be asked of the ConfigActor."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from minutebook.domain.commands.base import Command

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=200)]
"""A dotted name of a setting."""


class GetConfig(Command):
    """Answered with the `ConfigSetting`."""

    audited = False
    key: Key


class ListConfig(Command):
    """Answered with a tuple of `ConfigSetting`, in the file's order."""

    audited = False


class SetConfig(Command):
    """Set a setting; answered with the `ConfigSetting`."""

    key: Key
    value: Any = Field(repr=False)
    secret: bool | None = None


class UnsetConfig(Command):
    """Remove a setting; answered with what it was, a `ConfigSetting`."""

    key: Key


class DeleteConfig(Command):
    """Remove the whole file; answered with the number of settings that it had."""
