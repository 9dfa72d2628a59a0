"""Which settings are secret: by the host's model, by what somebody said, or by their name."""

from __future__ import annotations

from typing import Any

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.config_layers import above
from minutebook.actors.config_model import ConfigModel
from minutebook.domain.redaction import is_secret
from minutebook.domain.setting import Judge

Marks = dict[str, bool]
"""Which keys somebody said to be secret, or not to be."""


class SecretMarks:
    """The table of what was said of keys.

    Args:
        database: the actor's own.
        model: what it has of a type for secrets is secret, whatever is said.
    """

    def __init__(self, database: AppDatabase, model: ConfigModel | None) -> None:
        self._database = database
        self._model = model

    def load(self) -> Marks:
        """Return all."""
        rows = self._database.rows("SELECT key, secret FROM config_secrets")
        return {row["key"]: bool(row["secret"]) for row in rows}

    def save(self, key: str, secret: bool | None) -> None:
        """Keep what was said of a key; ``None`` forgets it."""
        if secret is None:
            self._database.execute("DELETE FROM config_secrets WHERE key = ?", (key,))
            return
        self._database.execute(
            "INSERT INTO config_secrets (key, secret) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET secret = excluded.secret",
            (key, secret),
        )

    def judge(self, marks: Marks | None = None) -> Judge:
        """Return what tells whether the value of a key is secret.

        What lies below a key that was said to be secret is secret too.

        Args:
            marks: what was said; what is kept, if not given.
        """
        said = self.load() if marks is None else marks

        def is_secret_setting(key: str, value: Any) -> bool:
            if self._model is not None and self._model.is_secret(key):
                return True
            if key in said:
                return said[key]
            return any(said.get(name) for name in above(key)) or is_secret(key, value)

        return is_secret_setting
