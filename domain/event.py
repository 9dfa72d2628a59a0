"""The immutable event: its envelope, and the registry of event types.

A host declares one class per type::

    class OrderShipped(AuditEvent, type="order.shipped"):
        order_id: str

The envelope's names are those that the standards use (CloudEvents, OCSF, ECS; the
table is in the README). Everything that a class declares itself is its payload.
"""

from __future__ import annotations

import builtins
import contextlib
import re
import sys
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError

from minutebook.domain import context
from minutebook.domain.envelope import (
    EventId,
    Moment,
    Outcome,
    Severity,
    Text,
    Traceparent,
    bound,
    new_id,
)
from minutebook.domain.errors import EventDefinitionError, InvalidEvent
from minutebook.domain.personal import refuse_misplaced

if TYPE_CHECKING:
    from collections.abc import Mapping

Delivery = Literal["buffered", "journaled", "committed"]
"""When a tell returns, and what the event survives from then on."""

DELIVERIES: Final = get_args(Delivery)

_TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", re.ASCII)

# Names that the ledger gives an entry beside the fields of `AuditEvent`: a payload field
# of the same name would make "the type" or "the body" of an entry ambiguous.
_LEDGER_NAMES: Final = frozenset(
    {
        "type",
        "schema_version",
        "producer",
        "producer_seq",
        "recorded_at",
        "log_index",
        "hash_version",
        "leaf_hash",
        "payload",
        "payload_names",
        "delivery",
        "body",
    }
)


class AuditEvent(BaseModel):
    """Something that happened, as told to the audit trail; frozen.

    Subclass it with ``type="dotted.past_tense"`` and declare the payload as fields.
    Envelope fields are keyword-only; those that are not given are filled from `bind`.

    Class keywords:
        type: the event type, lower case, dotted; one class per type.
        schema_version: of the payload, from 1; raise it when the fields change meaning, and
            give the class an `upcaster` for the version before.
        outcome, severity: what instances have unless they say otherwise.
        delivery: buffered, journaled or committed; see `Teller.tell`.
        abstract: a base for other event classes, which cannot be told itself.

    Raises:
        EventDefinitionError: at the class statement, when the declaration is wrong.
        InvalidEvent: at construction, when a field is wrong, missing or unknown.
    """

    # defer_build: the catalogue would otherwise add its 25 schemas to the import time.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,
        val_json_bytes="base64",  # as they are stored
    )

    type: ClassVar[str]
    """The event type of the class."""
    schema_version: ClassVar[int] = 1
    """Version of the payload's fields, from 1."""
    delivery: ClassVar[Delivery | None] = None
    """How instances are delivered unless the call says otherwise; the system's when not given."""
    payload_names: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that the class declares beyond the envelope."""

    id: EventId = Field(default_factory=new_id)
    """UUID as text; version 7 unless given. The same id again is the same event."""
    source: Text | None = Field(default_factory=bound(context.source_var))
    """Which actor of which service speaks; filled in by the system when not given."""
    occurred_at: Moment = Field(default_factory=partial(datetime.now, UTC))
    """When it happened, UTC, microseconds; kept to the end as given."""
    user_identity: Text | None = Field(default_factory=bound(context.user_identity_var))
    """Who acted."""
    on_behalf_of: Text | None = Field(default_factory=bound(context.on_behalf_of_var))
    """For whom."""
    session_id: Text | None = Field(default_factory=bound(context.session_id_var))
    """In which session."""
    correlation_id: Text | None = Field(default_factory=bound(context.correlation_id_var))
    """What one request has in common."""
    causation_id: Text | None = Field(default_factory=bound(context.causation_id_var))
    """Id of the event that led to this one."""
    traceparent: Traceparent | None = Field(default_factory=bound(context.traceparent_var))
    """W3C Trace Context header."""
    plan_id: Text | None = Field(default_factory=bound(context.plan_id_var))
    """The plan that it belongs to."""
    project_names: tuple[str, ...] = ()
    """The projects that it touches."""
    outcome: Outcome = "success"
    """How it ended."""
    outcome_reason: str | None = None
    """Why, when it did not succeed."""
    severity: Severity = "info"
    """How much it asks for attention."""

    if not TYPE_CHECKING:

        def __init__(self, /, **data: Any) -> None:
            # BaseModel.__init__ with our own error; the mark below keeps pydantic-core on
            # its fast path, which a custom __init__ would otherwise leave.
            try:
                self.__pydantic_validator__.validate_python(data, self_instance=self)
            except ValidationError as error:
                raise InvalidEvent(_explained(type(self), error)) from error
            except PydanticUserError as error:
                # By defer_build, what pydantic thinks of the class shows at its first use.
                problem = str(error).partition("\n")[0].rstrip(".")
                msg = f"{type(self).__name__} is declared wrongly: {problem}. Correct its fields."
                raise EventDefinitionError(msg) from error

        __init__.__pydantic_base_init__ = True

        def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
            """Do as `model_copy`: pydantic's own, which it deprecates, checks nothing."""
            return self.model_copy(update=update, deep=deep)

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Build the event with validation, unlike pydantic: what is told has been checked."""
        return cls(**values)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; fields of `update` replace the event's and are validated.

        The copy has the same ``id``, so with another payload it cannot be told beside its
        original: give a new ``id`` too.

        Raises:
            InvalidEvent: an updated field is wrong or unknown.
        """
        copied = super().model_copy(deep=deep)
        if not update:
            return copied
        cls = type(self)
        values = {name: copied.__dict__[name] for name in cls.model_fields} | dict(update)
        return cls(**{argument_of(cls, name): value for name, value in values.items()})

    def __init_subclass__(
        cls,
        *,
        type: str | None = None,
        schema_version: int = 1,
        outcome: str | None = None,
        severity: str | None = None,
        delivery: str | None = None,
        abstract: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_reused_names(cls)
        for name, value, allowed in (
            ("outcome", outcome, get_args(Outcome)),
            ("severity", severity, get_args(Severity)),
            ("delivery", delivery, DELIVERIES),
        ):
            if value is not None and value not in allowed:
                msg = f"{cls.__name__}: {name} {value!r} is unknown; use one of {allowed}."
                raise EventDefinitionError(msg)
        if delivery is not None:
            cls.delivery = delivery  # type: ignore[assignment]
        if abstract:
            _refuse_abstract_below(cls)
            return
        if type is None:
            msg = (
                f"{cls.__name__} names no event type; write"
                f' class {cls.__name__}(AuditEvent, type="dotted.past_tense").'
            )
            raise EventDefinitionError(msg)
        if not isinstance(type, str) or not _TYPE_NAME.fullmatch(type):
            msg = (
                f"{cls.__name__}: {type!r} is no event type; use lower-case words joined"
                ' by dots, such as "order.shipped".'
            )
            raise EventDefinitionError(msg)
        # By its exact type, for True is an int.
        if builtins.type(schema_version) is not int or schema_version < 1:
            msg = f"{cls.__name__}: schema_version is {schema_version!r}; count it from 1."
            raise EventDefinitionError(msg)
        _refuse_second_class(type, cls)
        cls.type = type
        cls.schema_version = schema_version

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        outcome: str | None = None,
        severity: str | None = None,
        abstract: bool = False,
        **_: Any,
    ) -> None:
        # The fields are complete here but, by defer_build, their validator is not built
        # yet: the class's own defaults can still be written into them.
        changed = [name for name, fixed in _FIXED if cls.model_config.get(name) != fixed]
        if changed:
            msg = (
                f"{cls.__name__} changes {', '.join(changed)} of the event's model_config, on"
                " which the stored bytes rely; drop that from its own."
            )
            raise EventDefinitionError(msg)
        fields = cls.model_fields
        cls.payload_names = tuple(name for name in fields if name not in ENVELOPE_FIELDS)
        refuse_misplaced(cls, cls.payload_names)
        if outcome is not None:
            fields["outcome"].default = outcome
        if severity is not None:
            fields["severity"].default = severity
        if not abstract:
            _registry[cls.type] = cls


ENVELOPE_FIELDS: Final = tuple(AuditEvent.model_fields)
"""Names of the envelope's fields, in stored order."""

_FIXED: Final = tuple(AuditEvent.model_config.items())

_registry: dict[str, type[AuditEvent]] = {}


def registered_types() -> Mapping[str, type[AuditEvent]]:
    """Return the event classes known to this process, by type; read only."""
    return MappingProxyType(_registry)


def complete_types() -> None:
    """Build what `defer_build` put off, for the classes of the host.

    Opening a system does this, so that the first event of a type costs its caller no more
    than the second. The catalogue's own classes are told on the actors' threads.
    """
    for cls in list(_registry.values()):
        if not cls.__module__.startswith("minutebook.") and not cls.__pydantic_complete__:
            # What is wrong with a class is told to whoever uses it first.
            with contextlib.suppress(PydanticUserError):
                cls.model_rebuild(raise_errors=False)


def _refuse_reused_names(cls: type[AuditEvent]) -> None:
    # Its mix-ins as well: an event among its bases has been through this.
    bases = [base for base in cls.__mro__ if base is cls or not issubclass(base, AuditEvent)]
    declared: set[str] = set()
    for base in bases:
        if base not in AuditEvent.__mro__:
            declared.update(_own_annotations(base), vars(base))
    reused = sorted(declared & (_LEDGER_NAMES | set(ENVELOPE_FIELDS)))
    if reused:
        msg = (
            f"{cls.__name__} declares {', '.join(reused)}, which the envelope of every event"
            " has already; rename the payload field, or give the value when building the event."
        )
        raise EventDefinitionError(msg)


if sys.version_info >= (3, 14):
    from annotationlib import Format, get_annotations

    def _own_annotations(cls: type) -> Mapping[str, Any]:
        # By value, a forward reference would raise here, before pydantic can resolve it.
        return get_annotations(cls, format=Format.FORWARDREF)
else:
    from inspect import get_annotations

    def _own_annotations(cls: type) -> Mapping[str, Any]:
        return get_annotations(cls)


def _refuse_abstract_below(cls: type[AuditEvent]) -> None:
    if hasattr(cls, "type"):
        msg = (
            f"{cls.__name__} is abstract and inherits the event type {cls.type!r}; derive it from"
            " an abstract event, or give it a type of its own."
        )
        raise EventDefinitionError(msg)


def _refuse_second_class(event_type: str, cls: type[AuditEvent]) -> None:
    known = _registry.get(event_type)
    if known is None:
        return
    # Running a notebook cell again defines its class again: that replaces the first.
    interactive = hasattr(sys, "ps1") and cls.__module__ == "__main__"
    if interactive and known.__module__ == cls.__module__ and known.__name__ == cls.__name__:
        return
    msg = (
        f'event type "{event_type}" has a class already:'
        f" {known.__module__}.{known.__qualname__}; give {cls.__name__} another type,"
        " or tell that class."
    )
    raise EventDefinitionError(msg)


def argument_of(cls: type[AuditEvent], name: str) -> str:
    """Return what the constructor of a class calls one of its fields: its alias, if it has one."""
    field = cls.model_fields.get(name)
    alias = None if field is None else field.validation_alias
    return alias if isinstance(alias, str) else name


def _explained(cls: type[AuditEvent], error: ValidationError) -> str:
    problems = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(map(str, detail["loc"]))
        kind = detail["type"]
        if kind == "extra_forbidden":
            text = f"has no field {where!r}"
        elif kind == "missing":
            text = f"needs the field {where!r}"
        elif kind == "timezone_aware":
            text = f"{where} has no time zone: use datetime.now(UTC) or add a tzinfo"
        else:
            text = f"{where}: {detail['msg'].removeprefix('Value error, ')}"
        problems.append(text)
    fields = ", ".join(cls.payload_names) or "none"
    name = getattr(cls, "type", "abstract")
    return (
        f"{cls.__name__} ({name}) cannot be built: {'; '.join(problems)}."
        f" Its own fields are: {fields}. Correct the call; nothing was recorded."
    )
