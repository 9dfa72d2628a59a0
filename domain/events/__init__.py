"""The catalogue: every event type that Minutebook itself tells.

What the envelope says already (who, in which session, of which plan) is not repeated in
the payload: `SessionCreated` has its session id in ``session_id``, and so on.
"""

from __future__ import annotations

from minutebook.domain.events.apply import (
    AppliedProject,
    ChangeKind,
    FileStatus,
    PlanApplyCompleted,
    ResourceModified,
)
from minutebook.domain.events.auth import (
    AccessDenied,
    AuthFailed,
    AuthMethod,
    AuthRefusal,
    AuthSucceeded,
    TokenCreated,
    TokenRevoked,
    UserChange,
    UserChanged,
    UserCreated,
)
from minutebook.domain.events.cancellation import (
    ApplyOutcome,
    CancelPolicy,
    ChildPlans,
    PendingResource,
    PlanCancelled,
    PlanProgress,
    ReleasedResource,
    UnreleasedResource,
)
from minutebook.domain.events.config import ConfigChanged
from minutebook.domain.events.conflict import Conflict, ConflictHunk, ConflictKind
from minutebook.domain.events.entity import EntityDeleted
from minutebook.domain.events.plan import PlanApplied, PlanCreated, PlanErrored, PlanPhaseChanged
from minutebook.domain.events.plan_records import (
    ApprovalDenied,
    ApprovalGranted,
    CorrectionApplied,
    DecisionRecorded,
    ToolInvoked,
)
from minutebook.domain.events.resource import ResourceReleased, ResourceReleaseFailed
from minutebook.domain.events.retention import (
    AuditArchived,
    AuditPruned,
    AuditSealed,
    HoldKind,
    HoldLifted,
    HoldPlaced,
    PrunedType,
    SubjectForgotten,
)
from minutebook.domain.events.sandbox import (
    CheckpointCreated,
    SandboxCreated,
    SandboxKind,
    SandboxReleased,
    SandboxReleaseFailed,
)
from minutebook.domain.events.session import SessionClosed, SessionCreated
from minutebook.domain.events.validation import (
    ValidationFailed,
    ValidationOutcome,
    ValidationPassed,
)
from minutebook.domain.trail_events import (
    AuditCheckpointed,
    AuditGap,
    AuditRecovered,
    AuditSystemClosed,
    AuditSystemOpened,
)

__all__ = [
    "AccessDenied",
    "AppliedProject",
    "ApplyOutcome",
    "ApprovalDenied",
    "ApprovalGranted",
    "AuditArchived",
    "AuditCheckpointed",
    "AuditGap",
    "AuditPruned",
    "AuditRecovered",
    "AuditSealed",
    "AuditSystemClosed",
    "AuditSystemOpened",
    "AuthFailed",
    "AuthMethod",
    "AuthRefusal",
    "AuthSucceeded",
    "CancelPolicy",
    "ChangeKind",
    "CheckpointCreated",
    "ChildPlans",
    "ConfigChanged",
    "Conflict",
    "ConflictHunk",
    "ConflictKind",
    "CorrectionApplied",
    "DecisionRecorded",
    "EntityDeleted",
    "FileStatus",
    "HoldKind",
    "HoldLifted",
    "HoldPlaced",
    "PendingResource",
    "PlanApplied",
    "PlanApplyCompleted",
    "PlanCancelled",
    "PlanCreated",
    "PlanErrored",
    "PlanPhaseChanged",
    "PlanProgress",
    "PrunedType",
    "ReleasedResource",
    "ResourceModified",
    "ResourceReleaseFailed",
    "ResourceReleased",
    "SandboxCreated",
    "SandboxKind",
    "SandboxReleaseFailed",
    "SandboxReleased",
    "SessionClosed",
    "SessionCreated",
    "SubjectForgotten",
    "TokenCreated",
    "TokenRevoked",
    "ToolInvoked",
    "UnreleasedResource",
    "UserChange",
    "UserChanged",
    "UserCreated",
    "ValidationFailed",
    "ValidationOutcome",
    "ValidationPassed",
]
