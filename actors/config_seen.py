"""What was last recorded of each file of settings: so that an edit by others is recorded once.

It is kept in the app database, for all processes of the host, as fingerprints under the host's
key and as events hold it: secrets are masked in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.config_document import ConfigDocument, leaves
from minutebook.actors.ledger.clock import now_microseconds
from minutebook.domain.fitting import shortened
from minutebook.domain.jsonable import jsonable
from minutebook.domain.redaction import Redactor
from minutebook.domain.setting import Judge, protected, recordable

_KEY_CHARACTERS_MAX: Final = 500
_MASK: Final = "[secret hmac-sha256:"

Seen = dict[str, tuple[str, Any]]
"""Fingerprint, and recorded form, of the value of each dotted key."""


class Edit(NamedTuple):
    """A setting that differs from what was recorded."""

    key: str
    """Dotted name."""
    old: Any
    """As it was recorded."""
    new: Any
    """As it is to be recorded."""


class SeenFiles:
    """The table of what was recorded.

    Args:
        database: the actor's own.
        redactor: masks secrets.
    """

    def __init__(self, database: AppDatabase, redactor: Redactor) -> None:
        self._database = database
        self._redactor = redactor

    def state(self, document: ConfigDocument | None, judge: Judge) -> Seen:
        """Return what is to be kept of a file.

        Args:
            document: what it holds; ``None`` when it was removed.
            judge: tells what is secret.
        """
        values = {} if document is None else document.values
        return {
            shortened(key, _KEY_CHARACTERS_MAX): (
                # With the type: 1, 1.0 and true are three values.
                self._redactor.mask(f"{type(value).__name__} {value!r}"),
                self._recorded(key, value, judge),
            )
            for key, value in leaves(values)
            # A table without settings is what unsetting the last of them leaves.
            if value != {}
        }

    def load(self, name: str) -> Seen | None:
        """Return what was recorded of a file, ``None`` when it was never looked at."""
        row = self._database.row("SELECT settings FROM config_files WHERE name = ?", (name,))
        if row is None:
            return None
        loaded: dict[str, list[Any]] = json.loads(row["settings"])
        return {key: (mark, recorded) for key, (mark, recorded) in loaded.items()}

    def save(self, name: str, seen: Seen) -> None:
        """Keep what is recorded of a file, within the transaction that records it."""
        self._database.execute(
            "INSERT INTO config_files (name, settings, seen_at) VALUES (?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET settings = excluded.settings, seen_at = excluded.seen_at",
            (name, json.dumps(seen), now_microseconds()),
        )

    def edits(self, old: Seen, new: Seen, judge: Judge) -> Iterator[Edit]:
        """Yield each setting of which the value differs."""
        for key in dict.fromkeys([*new, *old]):
            before, after = old.get(key), new.get(key)
            if before is None or after is None or before[0] != after[0]:
                yield Edit(
                    key,
                    None if before is None else self._masked(key, before[1], judge),
                    None if after is None else after[1],
                )

    def _recorded(self, key: str, value: Any, judge: Judge) -> Any:
        shown = recordable(protected(key, value, judge), self._redactor)
        return _settled(jsonable(shown, "value", self._redactor))

    def _masked(self, key: str, recorded: Any, judge: Judge) -> Any:
        """Return what was recorded when a value may not have been secret, masked if it is now."""
        if isinstance(recorded, str) and recorded.startswith(_MASK):
            return recorded
        return self._recorded(key, recorded, judge)


def _settled(recorded: Any) -> Any:
    """Return a value with masks deep inside as text: masked again, they would differ."""
    if isinstance(recorded, list | dict):
        text = json.dumps(recorded, ensure_ascii=False)
        if _MASK in text:
            return text
    return recorded
