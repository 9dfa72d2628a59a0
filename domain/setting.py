"""Values of settings: what TOML holds of them, which parts are secret, how they are recorded."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final

import orjson
from pydantic import Secret, SecretStr

from minutebook.domain.errors import InvalidCommand
from minutebook.domain.fitting import shortened
from minutebook.domain.jsonable import NESTING_MAX, jsonable
from minutebook.domain.redaction import Redactor, is_secret_type

RECORDED_BYTES_MAX: Final = 24 * 1024
"""Above this, the record of a value is its beginning and its end, as text."""

_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**63 - 1

Judge = Callable[[str, Any], bool]
"""Tells whether the value under a dotted key is secret."""


def taken(key: str, value: Any) -> tuple[Any, frozenset[str]]:
    """Return a value as TOML holds it, and the keys whose values came as secrets.

    Args:
        key: dotted name of the setting.
        value: what was given; ``SecretStr`` and ``Secret`` in any place.

    Raises:
        InvalidCommand: TOML has no such value; the message does not show it.
    """
    secret: set[str] = set()
    return _taken(key, value, secret, 0), frozenset(secret)


def _taken(key: str, value: Any, secret: set[str], depth: int) -> Any:
    if isinstance(value, Secret | SecretStr):
        secret.add(key)
        value = value.get_secret_value()
    if depth > NESTING_MAX:
        raise _no_place(key, "nests too deeply")
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise _no_place(key, "is a text that is not Unicode")
        return str.__str__(value)
    if isinstance(value, bool | float | date | datetime):
        return value
    if isinstance(value, int):
        if _INTEGER_MIN <= value <= _INTEGER_MAX:
            return int(value)
        raise _no_place(key, "is an integer beyond 64 bits")
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, list | tuple):
        return [_taken(key, item, secret, depth + 1) for item in value]
    if isinstance(value, Mapping):
        names = [_taken(key, name, set(), depth) for name in value]
        if all(isinstance(name, str) for name in names):
            return {
                name: _taken(f"{key}.{name}", item, secret, depth + 1)
                for name, item in zip(names, value.values(), strict=True)
            }
        raise _no_place(key, "has a name that is no text")
    raise _no_place(key, f"is a {type(value).__name__}")


def _no_place(key: str, problem: str) -> InvalidCommand:
    return InvalidCommand(
        f"config {key}: the value {problem}, which has no place in TOML; use text, numbers, truth"
        " values, dates, lists or mappings, and unset a key instead of giving it no value."
    )


def protected(key: str, value: Any, judge: Judge) -> Any:
    """Return a value with its secret parts as ``SecretStr`` or ``Secret``.

    Args:
        key: dotted name of the setting; a part of a mapping is judged by the key that it has.
        value: plain, or ``None``; what is of a type for secrets stays so.
        judge: tells what is secret.
    """
    if value is None or is_secret_type(value):
        return value
    if judge(key, value):
        return SecretStr(value) if isinstance(value, str) else Secret(value)
    if isinstance(value, Mapping):
        return {name: protected(f"{key}.{name}", item, judge) for name, item in value.items()}
    if isinstance(value, list):
        return [
            protected(key, item, judge) if isinstance(item, Mapping | list) else item
            for item in value
        ]
    return value


def recordable(value: Any, redactor: Redactor) -> Any:
    """Return a value so that an event can hold it, whatever it is.

    What JSON cannot carry (infinity, a local date and time, a larger integer that somebody
    wrote into the file) becomes text; one of more than `RECORDED_BYTES_MAX` is shortened, with
    its SHA-256 behind, so that a change of the part left out stays visible.

    Args:
        value: from `protected`.
        redactor: the system's, for the size of what is masked.
    """
    value = _carried(value)
    stored = orjson.dumps(jsonable(value, "value", redactor))
    if len(stored) <= RECORDED_BYTES_MAX:
        return value
    text = value if isinstance(value, str) else stored.decode("utf-8")
    return f"{shortened(text)} [{len(stored):,} bytes, sha256:{hashlib.sha256(stored).hexdigest()}]"


def _carried(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _carried(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_carried(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.isoformat()
    if isinstance(value, int) and not _INTEGER_MIN <= value <= _INTEGER_MAX:
        return str(value)
    return value
