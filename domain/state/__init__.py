"""What the service actors know and answer with: frozen models, one per noun."""

from __future__ import annotations

from minutebook.domain.state.apply import Applied, Execution, StoppedWork
from minutebook.domain.state.auth import ApiToken, Principal, User
from minutebook.domain.state.base import State
from minutebook.domain.state.cancellation import Cancellation
from minutebook.domain.state.config import (
    ConfigExplanation,
    ConfigLayerValue,
    ConfigOrigin,
    ConfigSetting,
    UnsetSetting,
)
from minutebook.domain.state.plan import Plan
from minutebook.domain.state.sandbox import ReleasedSandbox, Sandbox
from minutebook.domain.state.session import Session

__all__ = [
    "ApiToken",
    "Applied",
    "Cancellation",
    "ConfigExplanation",
    "ConfigLayerValue",
    "ConfigOrigin",
    "ConfigSetting",
    "Execution",
    "Plan",
    "Principal",
    "ReleasedSandbox",
    "Sandbox",
    "Session",
    "State",
    "StoppedWork",
    "UnsetSetting",
    "User",
]
