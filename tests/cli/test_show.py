"""`minutebook show`: one entry in full."""

import json
import re
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from minutebook.actors.ledger.reader import LedgerReader

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Terminal = Callable[..., str]


def shown(ran: "subprocess.CompletedProcess[str]") -> str:
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return ran.stdout


def test_everything_of_an_entry_is_shown(run: Run, ledger: Path) -> None:
    """Each column by a name, times exactly, the hash, and the payload below."""
    with LedgerReader(ledger) as reader:
        entry = reader.get("3")

    text = shown(run("show", ledger, "3"))

    fields = dict(re.findall(r"^(\S.*?)  +(\S.*)$", text, re.MULTILINE))
    recorded = entry.recorded_time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert fields == {
        "index": "3",
        "id": entry.id,
        "type": "plan.apply_completed (schema version 2)",
        "occurred at": "2026-01-31T15:00:00.000000Z",
        "recorded at": recorded,
        "outcome": "success",
        "outcome reason": "-",
        "severity": "info",
        "user": "alice@example.com",
        "on behalf of": "-",
        "session": "s-1",
        "correlation": "req-1",
        "causation": "-",
        "traceparent": "-",
        "plan": "0199abcd-ef01-7000-8000-00000000a001",
        "projects": "shop, site",
        "source": "app",
        "producer": "0a" * 16 + " #3",
        "leaf hash": entry.leaf_hash.hex() + " (layout 1)",
    }
    assert f"\n  commit_after       {'b' * 40}\n" in text


def test_a_list_of_like_objects_is_a_table(run: Run, ledger: Path) -> None:
    """Numbers to the right, absent ones as a dash, lists within a cell as JSON."""
    text = shown(run("show", ledger, "3"))

    assert (
        "  files (2)\n"
        "    path        change    lines_added  lines_removed  project_name\n"
        "    src/app.py  modified           13              1  shop\n"
        "    logo.png    created             -              -  shop\n"
    ) in text
    assert (
        "  validations (1)\n"
        "    command          passed  exit_code  seconds\n"
        '    ["make","test"]  true            0      1.5\n'
    ) in text
    assert "  conflicts          []\n" in text


def test_any_other_nesting_is_indented(run: Run, ledger: Path) -> None:
    """Text of several lines keeps them, each behind a bar; look-alikes are quoted."""
    text = shown(run("show", ledger, "4"))

    hostile = r'\x1b[31mroot\x1b]0;owned\x07 \x9b1m \u202egnp [bold]x[/] "q",\t\x7f'
    assert text.endswith(
        "  old_value\n"
        "    | eve\n"
        f"    | {hostile}\n"
        "  new_value\n"
        "    \\udcff name (2)\n"
        "      - | eve\n"
        f"        | {hostile}\n"
        '      - - "12"\n'
        "        - 12\n"
        "        - -\n"
        "        - true\n"
        '        - ""\n'
        "  scope  file\n"
    )


def test_nothing_in_an_entry_reaches_the_terminal_as_it_is(
    run: Run, terminal: Terminal, ledger: Path
) -> None:
    """Neither escapes nor rich's markup: what is coloured is ours."""
    piped = shown(run("show", ledger, "4", FORCE_COLOR="1"))
    written = terminal(80, "show", ledger, "4")

    text = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert text != written
    assert text == piped
    assert all(
        character == "\n" or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}
        for character in text
    )


def test_a_table_that_is_too_wide_for_the_terminal_is_a_list(
    terminal: Terminal, ledger: Path
) -> None:
    """A line of the terminal's own breaking would hide which column is which."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal(50, "show", ledger, "3"))

    assert (
        "  files (2)\n"
        "    - path           src/app.py\n"
        "      change         modified\n"
        "      lines_added    13\n"
        "      lines_removed  1\n"
        "      project_name   shop\n"
        "    - path           logo.png\n"
    ) in text
    assert max(cell_len(line) for line in text.partition("payload")[2].splitlines()) <= 61


def test_json_is_the_same_object_as_in_the_log(run: Run, ledger: Path) -> None:
    """Indented, for a person or a program."""
    text = shown(run("show", ledger, "4", "--format", "json"))
    log = run("log", ledger, "--format", "jsonl").stdout.splitlines()

    assert json.loads(text) == json.loads(log[4])
    assert text.startswith('{\n  "log_index": 4,\n')
    assert text.replace("\n", "").isprintable()


def test_an_entry_is_named_by_id_or_its_beginning_too(run: Run, ledger: Path) -> None:
    """As much of it as is unique."""
    with LedgerReader(ledger) as reader:
        entry = reader.get("2")

    whole = shown(run("show", ledger, entry.id))

    assert shown(run("show", ledger, entry.id[:30])) == whole == shown(run("show", ledger, "2"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["99"], "has no entry '99'"),
        (["ffffffff-ffff"], "has no entry 'ffffffff-ffff'"),
        (["abc"], "at least the first 8 characters"),
        (["\x1b[31m\nabcdefgh"], r"has no entry '\x1b[31m\nabcdefgh'"),
        ([], "ID"),
        (["1", "--format", "csv"], "--format"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    run: Run, ledger: Path, arguments: list[str], complaint: str
) -> None:
    """Status 2, and nothing on standard output."""
    ran = run("show", ledger, *arguments)

    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("minutebook: ")
    assert complaint in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_missing_ledger_is_refused_and_not_made(run: Run, tmp_path: Path) -> None:
    """Whatever the entry."""
    ran = run("show", "missing.db", "0")

    assert ran.returncode == 2
    assert ran.stderr.startswith("minutebook: there is no ledger at")
    assert list(tmp_path.iterdir()) == []
