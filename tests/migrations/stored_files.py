"""The files of each version, as a host left them; see `tests.migrations.make_files`."""

from __future__ import annotations

import re
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"

VERSIONS = sorted(int(path.name.split("_")[1].split(".")[0]) for path in FILES.iterdir())
"""All versions of which there are files."""


def unpack(version: int, directory: Path) -> Path:
    """Unpack the files of a version, and return the ledger's path."""
    with tarfile.open(FILES / f"version_{version}.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    return directory / "audit.db"


def version_of(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def rows_of(database: Path, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


def schema_of(database: Path) -> dict[str, Any]:
    """What the tables, indexes and triggers are, however the statements that made them read."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'"
        ).fetchall()
        schema: dict[str, Any] = {}
        for kind, name, table, sql in rows:
            if kind == "table":
                strict = connection.execute(
                    "SELECT wr, strict FROM pragma_table_list(?)", (name,)
                ).fetchone()
                said: Any = (
                    strict,
                    connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall(),
                    connection.execute(
                        "SELECT * FROM pragma_foreign_key_list(?)", (name,)
                    ).fetchall(),
                    # What is not in the pragmas above, in whatever order it was said.
                    sorted(re.findall(r"CHECK\s*\([^()]*(?:\([^()]*\)[^()]*)*\)", sql)),
                )
            elif sql is None:  # made for a UNIQUE or PRIMARY KEY
                said = connection.execute(
                    "SELECT seqno, name FROM pragma_index_info(?)", (name,)
                ).fetchall()
            else:
                said = " ".join(re.sub(r"--[^\n]*", "", sql).split())
            schema[f"{kind} {name} of {table}"] = said
        return schema
