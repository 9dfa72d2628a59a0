"""What every answer of a service actor has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class State(BaseModel):
    """Base of the models below."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
