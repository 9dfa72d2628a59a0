"""What the service actors know and answer with: frozen models, one per noun."""

from __future__ import annotations

from minutebook.domain.state.apply import Applied, Execution, HeldWork, ProjectChangeset
from minutebook.domain.state.auth import ApiToken, Delegation, Principal, TokenInfo, User
from minutebook.domain.state.base import State
from minutebook.domain.state.cancellation import Cancellation, CancelState, Fence
from minutebook.domain.state.config import (
    ConfigExplanation,
    ConfigLayerValue,
    ConfigOrigin,
    ConfigSetting,
    UnsetSetting,
)
from minutebook.domain.state.plan import Plan, PlanProject
from minutebook.domain.state.plan_records import Correction, Decision
from minutebook.domain.state.retention import ForgottenSubject, Hold, PruneResult, Segment
from minutebook.domain.state.sandbox import Checkpoint, OrphanedSandbox, ReleasedSandbox, Sandbox
from minutebook.domain.state.session import Session

__all__ = [
    "ApiToken",
    "Applied",
    "CancelState",
    "Cancellation",
    "Checkpoint",
    "ConfigExplanation",
    "ConfigLayerValue",
    "ConfigOrigin",
    "ConfigSetting",
    "Correction",
    "Decision",
    "Delegation",
    "Execution",
    "Fence",
    "ForgottenSubject",
    "HeldWork",
    "Hold",
    "OrphanedSandbox",
    "Plan",
    "PlanProject",
    "Principal",
    "ProjectChangeset",
    "PruneResult",
    "ReleasedSandbox",
    "Sandbox",
    "Segment",
    "Session",
    "State",
    "TokenInfo",
    "UnsetSetting",
    "User",
]
