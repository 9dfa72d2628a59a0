"""What may be asked of the ConfigActor."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from minutebook.domain.commands.base import Command, Name

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=200)]
"""A dotted name of a setting."""

WritableLayer = Literal["file", "project", "override"]
"""A layer that can be changed by command."""


class _OfProject(Command):
    """A look at the settings: the host's, or those that hold in a project."""

    audited = False
    project: Name | None = None


class GetConfig(_OfProject):
    """Answered with the `ConfigSetting`."""

    key: Key


class ListConfig(_OfProject):
    """Answered with a tuple of `ConfigSetting`, in the order of the layers and files."""


class ExplainConfig(_OfProject):
    """Answered with the `ConfigExplanation`."""

    key: Key


class GetTypedConfig(_OfProject):
    """Answered with an instance of the host's model."""


class _InLayer(Command):
    """A change of one layer."""

    layer: WritableLayer = "file"
    project: Name | None = None

    @model_validator(mode="after")
    def _project_fits(self) -> _InLayer:
        if (self.layer == "project") != (self.project is not None):
            msg = "give a project for the layer 'project', and for no other"
            raise ValueError(msg)
        return self


class SetConfig(_InLayer):
    """Set a setting; answered with the `ConfigSetting` of that layer."""

    key: Key
    value: Any = Field(repr=False)
    secret: bool | None = None


class UnsetConfig(_InLayer):
    """Remove a setting; answered with what it was and what holds now, an `UnsetSetting`."""

    key: Key


class DeleteConfig(_InLayer):
    """Remove a whole layer; answered with the number of settings that it had."""
