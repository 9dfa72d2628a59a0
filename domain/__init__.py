"""Values and rules of the audit trail: pure, without threads, files or SQL."""

from __future__ import annotations

if __name__ != "minutebook.domain":
    # A second copy under the bare name would hold other classes and another registry.
    raise ImportError(
        f"imported as {__name__!r}: this folder is the package minutebook.domain; "
        "run `make install`, then `import minutebook.domain`"
    )

from minutebook.domain.context import Binding, bind
from minutebook.domain.entry import Entry, Receipt
from minutebook.domain.envelope import Outcome, Severity
from minutebook.domain.errors import (
    AuditClosed,
    AuthenticationFailed,
    DuplicateEvent,
    EventDefinitionError,
    FlushTimeout,
    IllegalTransition,
    InvalidCommand,
    InvalidConfig,
    InvalidEvent,
    LedgerError,
    MinutebookError,
    PermissionDenied,
    ProjectError,
    SessionExpired,
    SettingsError,
    UncommittedEvents,
    UnknownPlan,
    UnreadableEvent,
    ValidationFailed,
    WorkFailed,
)
from minutebook.domain.event import AuditEvent
from minutebook.domain.personal import Personal
from minutebook.domain.plan import Phase, ProcessingState
from minutebook.domain.resources import Freed, HeldResource
from minutebook.domain.upcasting import upcaster

__all__ = [
    "AuditClosed",
    "AuditEvent",
    "AuthenticationFailed",
    "Binding",
    "DuplicateEvent",
    "Entry",
    "EventDefinitionError",
    "FlushTimeout",
    "Freed",
    "HeldResource",
    "IllegalTransition",
    "InvalidCommand",
    "InvalidConfig",
    "InvalidEvent",
    "LedgerError",
    "MinutebookError",
    "Outcome",
    "PermissionDenied",
    "Personal",
    "Phase",
    "ProcessingState",
    "ProjectError",
    "Receipt",
    "SessionExpired",
    "SettingsError",
    "Severity",
    "UncommittedEvents",
    "UnknownPlan",
    "UnreadableEvent",
    "ValidationFailed",
    "WorkFailed",
    "bind",
    "upcaster",
]
