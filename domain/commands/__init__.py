"""What may be asked of the service actors: one frozen class per request, imperative."""

from __future__ import annotations

from minutebook.domain.commands.apply import ApplyPlan, ExecutePlan, StopWork
from minutebook.domain.commands.auth import (
    AuthenticatePassword,
    AuthenticateToken,
    CreateToken,
    CreateUser,
    DeleteUser,
    ListUsers,
)
from minutebook.domain.commands.base import TEXT_CHARACTERS_MAX, Command, Name
from minutebook.domain.commands.cancellation import CancelPlan
from minutebook.domain.commands.config import (
    DeleteConfig,
    ExplainConfig,
    GetConfig,
    GetTypedConfig,
    ListConfig,
    SetConfig,
    UnsetConfig,
)
from minutebook.domain.commands.plan import (
    BeginCancel,
    BeginPhase,
    CompleteApply,
    CompletePhase,
    CreatePlan,
    DeletePlan,
    FailPlan,
    GetPlan,
    ListPlans,
    NoteProgress,
    StrategizePlan,
)
from minutebook.domain.commands.sandbox import CreateSandbox, ListSandboxes, ReleaseSandbox
from minutebook.domain.commands.session import (
    CloseSession,
    CreateSession,
    DeleteSession,
    GetSession,
    ListSessions,
)

__all__ = [
    "ApplyPlan",
    "AuthenticatePassword",
    "AuthenticateToken",
    "BeginCancel",
    "BeginPhase",
    "CancelPlan",
    "CloseSession",
    "Command",
    "CompleteApply",
    "CompletePhase",
    "CreatePlan",
    "CreateSandbox",
    "CreateSession",
    "CreateToken",
    "CreateUser",
    "DeleteConfig",
    "DeletePlan",
    "DeleteSession",
    "DeleteUser",
    "ExecutePlan",
    "ExplainConfig",
    "FailPlan",
    "GetConfig",
    "GetPlan",
    "GetSession",
    "GetTypedConfig",
    "ListConfig",
    "ListPlans",
    "ListSandboxes",
    "ListSessions",
    "ListUsers",
    "Name",
    "NoteProgress",
    "ReleaseSandbox",
    "SetConfig",
    "StopWork",
    "StrategizePlan",
    "TEXT_CHARACTERS_MAX",
    "UnsetConfig",
]
