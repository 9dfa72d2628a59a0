"""``docs/events.md`` is what `minutebook events` says, and says something of everything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from minutebook.domain.event import registered_types

PAGE = Path(__file__).parents[2] / "docs" / "events.md"

SHOP = '''
"""Events of a shop."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, SecretStr

from minutebook.domain import AuditEvent


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Line(BaseModel):
    """One line: of an order."""

    number: int
    """How | many."""


@dataclass
class Address:
    street: str


class Order(AuditEvent, abstract=True):
    order: UUID
    """Which
    order."""


class OrderShipped(Order, type="order.shipped", schema_version=2, delivery="committed"):
    """Note: it left.

    And more.
    """

    lines: tuple[Line, ...]
    size: Size | None
    how: Literal["air", 1]
    price: Decimal
    takes: timedelta
    due: date | datetime
    key: SecretStr
    data: bytes
    papers: list[Path]
    notes: dict[str, list[str | int]]
    to: Address
    extra: Any
    ok: bool
    ratio: float
'''


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "minutebook.actors.cli", "events", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


def test_the_committed_page_is_up_to_date() -> None:
    said = run()
    assert said.returncode == 0, said.stderr
    assert PAGE.read_text(encoding="utf-8") == said.stdout, "run `make docs`, and commit the page"


def test_every_event_of_the_catalogue_and_each_field_is_described() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sections = {
        heading.strip("`"): text
        for heading, text in re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.S)
    }
    for cls in registered_types().values():
        if not cls.__module__.startswith("minutebook."):
            continue
        text = sections[cls.type]
        assert "Told by: the host" not in text, f"say who tells {cls.__name__}, before a colon"
        rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
        assert [name for name, _, _ in rows] == list(cls.payload_names), cls.__name__
    assert re.findall(r"^\|.*\| +\|$", page, re.MULTILINE) == []
    for part in re.findall(r"\[(\w+)\]\(#(\w+)\)", page):
        assert part[0] in sections


def test_a_host_describes_its_own_events(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    said = run("--module", "shop", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "audit.opened" not in said.stdout
    assert "Note: it left.\n\nTold by: the host. Class: `OrderShipped`; version 2, outcome" in (
        said.stdout
    )
    assert "severity info, delivered committed." in said.stdout
    assert "And more" not in said.stdout
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.*) \|$", said.stdout, re.MULTILINE)
    assert {name: (stored, doc) for name, stored, doc in rows[-16:]} == {
        "order": ("text (UUID)", "Which order."),
        "lines": ("list of [Line](#line)", ""),
        "size": ("`s`, `l` or null", ""),
        "how": ("`air`, `1`", ""),
        "price": ("text (decimal number)", ""),
        "takes": ("duration (ISO 8601)", ""),
        "due": ("date (ISO 8601) or time (RFC 3339, UTC)", ""),
        "key": ("text (masked)", ""),
        "data": ("text (base64)", ""),
        "papers": ("list of text (path)", ""),
        "notes": ("object of list of text or integer", ""),
        "to": ("object", ""),
        "extra": ("any value", ""),
        "ok": ("true or false", ""),
        "ratio": ("number", ""),
        "number": ("integer", r"How \| many."),
    }
    assert "### Line\n\nOne line: of an order.\n" in said.stdout


def test_a_module_that_is_not_there_is_refused() -> None:
    for name, problem in (("no_such", "cannot be imported"), ("string", "declares no events")):
        said = run("--module", name)
        assert (said.returncode, said.stdout) == (2, "")
        assert problem in said.stderr
        assert said.stderr.count("\n") == 1
