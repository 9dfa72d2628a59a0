"""Personal fields: kept under a key of the person whom they are about, so that they can be erased.

A host marks them in its event class, and says by which field the person is known::

    class CustomerMoved(AuditEvent, type="customer.moved"):
        customer_id: str
        address: Annotated[str, Personal(subject="customer_id")]

Stored is ``{"$sealed": "v1.<key id>.<base64 of nonce and ciphertext>"}``, and that is what the
leaf commits to: when the key is destroyed, the log still verifies, and nobody reads the field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, Protocol, get_args, get_origin

import orjson
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from minutebook.domain.errors import EventDefinitionError
from minutebook.domain.surrogates import unescape_all

SEALED: Final = "$sealed"
"""The one name in the object that stands for a personal field."""

ERASED: Final = "[erased]"
"""What is shown of one whose key was destroyed."""

UNREADABLE: Final = "[sealed]"
"""What is shown of one whose key is not here."""


@dataclass(frozen=True)
class Personal:
    """Marks a field of an event class: ``Annotated[str, Personal(subject="customer_id")]``."""

    subject: str = "user_identity"
    """Which field says whom it is about: of the class, or of the envelope. It is stored in clear,
    so let it be a number or pseudonym rather than a name."""


class Sealer(Protocol):
    """Encrypts personal fields."""

    def seal(self, subject: str, place: bytes, data: bytes) -> str:
        """Return the text that stands for data; the same each time, for the same place.

        Args:
            subject: whom it is about.
            place: where it stands: opened elsewhere it does not hold.
            data: the value, as JSON.

        Raises:
            SubjectKeysError: the subject's key cannot be had.
        """
        ...


Opener = Callable[[str, bytes], bytes | Literal["[erased]", "[sealed]"]]
"""Decrypts what `Sealer.seal` returned, given that and the place."""


def place_of(event_id: str, event_type: str, name: str) -> bytes:
    """Return what a sealed value is bound to."""
    return f"{event_id}\n{event_type}\n{name}".encode()


@lru_cache(maxsize=1024)
def personal_fields(cls: type[BaseModel]) -> Mapping[str, str]:
    """Return the personal fields of a class, each with the name of its subject's field."""
    return {
        name: mark.subject
        for name, field in cls.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Personal)
    }


def refuse_misplaced(cls: type[BaseModel], names: tuple[str, ...]) -> None:
    """Refuse marks that would keep nothing secret, or name no subject.

    Args:
        cls: a class of events.
        names: its own fields.

    Raises:
        EventDefinitionError: as it says.
    """
    for name in names:
        field = cls.model_fields[name]
        if any(True for _ in _marks_within(field.annotation)):
            msg = (
                f"{cls.__name__}: within {name} something is marked as personal; mark the whole"
                f" field: Annotated[..., Personal(...)]."
            )
            raise EventDefinitionError(msg)
        for mark in _marks(field):
            if mark.subject not in cls.model_fields or _marks(cls.model_fields[mark.subject]):
                msg = (
                    f"{cls.__name__}: {name} is about {mark.subject!r}, which is no field of the"
                    " event that is stored in clear; name one that is."
                )
                raise EventDefinitionError(msg)


def _marks(field: FieldInfo) -> list[Personal]:
    return [mark for mark in field.metadata if isinstance(mark, Personal)]


def _marks_within(annotation: Any) -> Iterator[Personal]:
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        yield from (mark for mark in arguments[1:] if isinstance(mark, Personal))
        arguments = arguments[:1]
    for argument in arguments:
        yield from _marks_within(argument)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        # Declared above, as a model that holds itself is not.
        yield from (mark for field in annotation.model_fields.values() for mark in _marks(field))


def is_sealed(value: object) -> bool:
    """Tell whether a stored value stands for a personal field."""
    return isinstance(value, dict) and value.keys() == {SEALED} and isinstance(value[SEALED], str)


def has_sealed(payload: Mapping[str, Any]) -> bool:
    """Tell whether a payload has personal fields."""
    return any(map(is_sealed, payload.values()))


def revealed(
    payload: Mapping[str, Any], event_id: str, event_type: str, opener: Opener
) -> dict[str, Any]:
    """Return a payload with its personal fields in clear, where they can be read."""
    shown = dict(payload)
    for name, value in payload.items():
        if is_sealed(value):
            data = opener(value[SEALED], place_of(event_id, event_type, name))
            shown[name] = unescape_all(orjson.loads(data)) if isinstance(data, bytes) else data
    return shown


def unread(_: str, __: bytes) -> Literal["[sealed]"]:
    """Open nothing: an `Opener` for readers without keys."""
    return "[sealed]"
