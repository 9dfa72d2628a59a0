"""What the service actors know and answer with: frozen models, one per noun."""

from __future__ import annotations

from minutebook.domain.state.apply import Applied, Execution, StoppedWork
from minutebook.domain.state.auth import ApiToken, Delegation, Principal, TokenInfo, User
from minutebook.domain.state.base import State
from minutebook.domain.state.cancellation import Cancellation
from minutebook.domain.state.config import ConfigSetting
from minutebook.domain.state.plan import Plan
from minutebook.domain.state.sandbox import ReleasedSandbox, Sandbox
from minutebook.domain.state.session import Session

__all__ = [
    "ApiToken",
    "Applied",
    "Cancellation",
    "ConfigSetting",
    "Delegation",
    "Execution",
    "Plan",
    "Principal",
    "ReleasedSandbox",
    "Sandbox",
    "Session",
    "State",
    "StoppedWork",
    "TokenInfo",
    "User",
]
