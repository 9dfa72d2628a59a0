"""From an old row to an event of today's class.

What is stored is never changed. A class whose payload changes its meaning gets a higher
``schema_version``, and for each version before it one function, which makes a payload of
that version into one of the next::

    class OrderShipped(AuditEvent, type="order.shipped", schema_version=2):
        order_id: str
        weight_g: int

    @upcaster(OrderShipped, 1)
    def _weigh_in_grams(payload: dict[str, Any]) -> dict[str, Any]:
        payload["weight_g"] = round(payload.pop("weight_kg") * 1000)
        return payload

They are run where somebody asks for the event (`Entry.event`), and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import orjson
from pydantic import BaseModel, PydanticUserError, ValidationError

from minutebook.domain.errors import EventDefinitionError, InvalidEvent, UnreadableEvent
from minutebook.domain.event import ENVELOPE_FIELDS, AuditEvent, argument_of, registered_types
from minutebook.domain.personal import revealed, unread
from minutebook.domain.surrogates import ESCAPE, ESCAPE_IN_JSON, unescape

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the payload of one version into that of the next; may change what it is given."""

UpcasterT = TypeVar("UpcasterT", bound=Upcaster)

# By class, not by type: a class that replaces another one in a notebook has its own.
_upcasters: Final[WeakKeyDictionary[type[AuditEvent], dict[int, Upcaster]]] = WeakKeyDictionary()


def upcaster(cls: type[AuditEvent], version: int) -> Callable[[UpcasterT], UpcasterT]:
    """Register the function below for the payloads of one version of an event type.

    Args:
        cls: today's class.
        version: that the payload has; the function returns one of ``version + 1``.

    Raises:
        EventDefinitionError: the class has no such earlier version, or has a function for it.
    """
    # An abstract class has no type of its own.
    highest = cls.schema_version - 1 if "type" in vars(cls) else 0
    if type(version) is not int or not 1 <= version <= highest:
        msg = (
            f"{cls.__name__} has schema_version {cls.schema_version}, so there is nothing to"
            f" upcast from version {version!r}; raise its schema_version, or correct the number."
        )
        raise EventDefinitionError(msg)
    registered = _upcasters.setdefault(cls, {})
    if version in registered:
        msg = (
            f"{cls.__name__} has an upcaster from version {version} already:"
            f" {_name(registered[version])}; drop one of them."
        )
        raise EventDefinitionError(msg)

    def register(function: UpcasterT) -> UpcasterT:
        registered[version] = function
        return function

    return register


def event_from(body: bytes) -> AuditEvent:
    """Return the event that some stored bytes tell, as an object of today's class.

    Args:
        body: the stored bytes.

    Raises:
        UnreadableEvent: no class of this process fits; the message says why.
    """
    # Here, since it brings two dozen classes along, which who writes a ledger does not wait for.
    import minutebook.domain.events  # noqa: F401

    said = orjson.loads(body)
    cls = registered_types().get(said["type"])
    if cls is None:
        raise _unreadable(said, "no class has its type here: import the module that declares it")
    payload = _upcast(cls, said)
    unknown = sorted(set(payload) - set(cls.payload_names))
    if unknown:
        problem = f"{cls.__name__} has no field {', '.join(map(repr, unknown))}: {_ADVICE}"
        raise _unreadable(said, problem)
    fields = {name: said[name] for name in ENVELOPE_FIELDS}
    # Nobody's keys are at hand here: what is personal reads as a text that says so.
    payload = revealed(payload, said["id"], cls.type, unread)
    fields |= {argument_of(cls, name): value for name, value in payload.items()}
    try:
        event = cls.model_validate_json(orjson.dumps(fields))
        return _restored(event) if ESCAPE_IN_JSON in body else event
    except (ValidationError, InvalidEvent, PydanticUserError, TypeError) as error:
        problem = f"its payload does not fit {cls.__name__} ({_brief(error)}): {_ADVICE}"
        raise _unreadable(said, problem) from error


_ADVICE: Final = "raise the schema_version of the class, and give it an upcaster"


def _upcast(cls: type[AuditEvent], said: dict[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = said["payload"]
    stored = said["schema_version"]
    if stored > cls.schema_version:
        problem = (
            f"{cls.__name__} has version {cls.schema_version} only: update the code that"
            " declares it"
        )
        raise _unreadable(said, problem)
    registered = _upcasters.get(cls, {})
    for version in range(stored, cls.schema_version):
        function = registered.get(version)
        if function is None:
            problem = f"{cls.__name__} has no upcaster from version {version}: register one"
            raise _unreadable(said, problem)
        try:
            payload = function(payload)
        # Whatever the host's function raises: what is stored is not at fault.
        except Exception as error:
            problem = (
                f"the upcaster {_name(function)} from version {version} failed"
                f" ({_brief(error)}): correct it"
            )
            raise _unreadable(said, problem) from error
        if not isinstance(payload, dict):
            problem = (
                f"the upcaster {_name(function)} from version {version} returned"
                f" {type(payload).__name__}: let it return the payload"
            )
            raise _unreadable(said, problem)
    return payload


def _restored(value: Any) -> Any:
    """Undo the escapes in every text of a value; JSON could not have carried them undone."""
    if isinstance(value, str):
        # An enum of text is text as well, and has no escapes.
        return unescape(value) if ESCAPE in value else value
    if isinstance(value, PurePath):
        return type(value)(unescape(str(value)))
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_restored(item) for item in value)
    if isinstance(value, dict):
        return {_restored(key): _restored(item) for key, item in value.items()}
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        restored = {name: _restored(field) for name, field in fields.items()}
        changed = {name: new for name, new in restored.items() if new != fields[name]}
        return value.model_copy(update=changed) if changed else value
    return value


def _unreadable(said: dict[str, Any], problem: str) -> UnreadableEvent:
    return UnreadableEvent(
        f"event {said['id']} ({said['type']}, version {said['schema_version']}) cannot be read as"
        f" an object: {problem}; its `payload` is there as it was stored."
    )


def _brief(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, at['loc']))}: {at['msg']}" for at in problems)
    first = str(error).partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _name(function: Upcaster) -> str:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{function.__module__}.{name}"
