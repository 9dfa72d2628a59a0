"""Whether a ledger's tables, indexes and triggers are those that it was made with."""

from __future__ import annotations

import re
from collections.abc import Iterator

import apsw

from minutebook.actors.ledger.inspection import SCHEMA_VERSION
from minutebook.actors.ledger.migrating import read_step
from minutebook.domain.finding import Finding

_CREATED = re.compile(r"^CREATE (?:UNIQUE )?(?:TABLE|INDEX|TRIGGER) (\w+)", re.MULTILINE)


def schema_drift(connection: apsw.Connection) -> Iterator[Finding]:
    """Yield what is missing, changed, or a trigger of somebody else's; further indexes are fine."""
    version = connection.pragma("user_version")
    expected = _objects(_made())
    later: set[str] = set()
    for step in range(version + 1, SCHEMA_VERSION + 1):
        for name in _CREATED.findall(read_step("ledger", step)):
            # What a later version made anew, an older one has as it was then.
            expected.pop(name, None)
            later.add(name)
    found = _objects(connection)
    for name, (kind, sql) in expected.items():
        if name not in found:
            yield Finding("schema_drift", None, f"its {kind} {name} is missing.")
        elif found[name] != (kind, sql):
            yield Finding("schema_drift", None, f"its {kind} {name} is not as it was made.")
    for name, (kind, _) in found.items():
        if kind == "trigger" and name not in expected and name not in later:
            yield Finding("schema_drift", None, f"its trigger {name!r:.80} is not ours.")


def _made() -> apsw.Connection:
    from importlib.resources import files

    connection = apsw.Connection(":memory:")
    schema = files("minutebook.actors.ledger").joinpath("schema.sql")
    for _ in connection.execute(schema.read_text(encoding="utf-8")):
        pass
    return connection


def _objects(connection: apsw.Connection) -> dict[str, tuple[str, str]]:
    rows = connection.execute(
        "SELECT name, type, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return {str(name): (str(kind), " ".join(str(sql).split())) for name, kind, sql in rows}
