"""Bringing a database of an older version to this one, step by step.

A step is a file of SQL, ``actors/migrations/<name>_<version>.sql``, that makes a database of
the version before into one of that version. It is never changed once it was released: files
of every version are kept with the tests. All steps run in one transaction, so a database is
of its old version or of the new one, whatever happens meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

import apsw


def read_step(name: str, version: int) -> str:
    """Return the SQL that makes a database of the version before into one of this version.

    Args:
        name: of the database: ``ledger`` or ``app``.
    """
    # Imported for an old file only: it brings tempfile, shutil and the compressors along.
    from importlib.resources import files

    step = files("minutebook.actors").joinpath("migrations", f"{name}_{version}.sql")
    return step.read_text(encoding="utf-8")


def migrate(
    connection: apsw.Connection,
    name: str,
    version: int,
    read: Callable[[str, int], str] = read_step,
) -> None:
    """Run the steps that a database lacks; none when it is of the version.

    The caller has begun a transaction, and knows that the database is not newer.

    Args:
        name: of the database: ``ledger`` or ``app``.
        version: that it is to have.
        read: returns the SQL of a step.

    Raises:
        apsw.Error: a step failed; the caller rolls back.
    """
    for step in range(connection.pragma("user_version") + 1, version + 1):
        # APSW runs a script up to the first row, and the rest as rows are asked for.
        for _ in connection.execute(read(name, step)):
            pass
        connection.pragma("user_version", step)
