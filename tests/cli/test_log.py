"""`minutebook log`, run as people and programs run it."""

import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest
from rich.cells import cell_len

from minutebook.actors.ledger.reader import LedgerReader
from minutebook.domain.entry import COLUMNS
from minutebook.domain.event import AuditEvent
from minutebook.domain.events import ConfigChanged

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Terminal = Callable[..., str]
Append = Callable[[Path, list[AuditEvent]], None]
Refused = Callable[..., str]

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def lines_of(ran: "subprocess.CompletedProcess[str]") -> list[Any]:
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return [json.loads(line) for line in ran.stdout.splitlines()]


def is_safe(text: str) -> bool:
    """Nothing in the text but what prints, and line ends."""
    return all(
        character == "\n" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        for character in text
    )


# -- formats --------------------------------------------------------------------


def test_json_lines_are_the_entries_objects(run: Run, ledger: Path) -> None:
    """One a line, with the public names in their order, oldest first."""
    objects = lines_of(run("log", ledger, "--format", "jsonl"))

    with LedgerReader(ledger) as reader:
        assert objects == [entry.as_json_object() for entry in reader.entries()]
    assert list(objects[0]) == [*(name for name in COLUMNS if name != "body"), "payload"]
    assert objects[0]["occurred_at"] == "2026-01-31T12:00:00.000000Z"


def test_json_is_one_array_of_the_same_objects(run: Run, ledger: Path) -> None:
    """Of none, it is the empty array."""
    array = json.loads(run("log", ledger, "--format", "json").stdout)

    assert array == lines_of(run("log", ledger, "--format", "jsonl"))
    assert json.loads(run("log", ledger, "--user", "nobody", "--format", "json").stdout) == []


def test_csv_has_the_same_columns(run: Run, ledger: Path) -> None:
    """Project names and payload as JSON, an absent value empty, text exactly as it is."""
    ran = run("log", ledger, "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(ran.stdout, newline="")))
    objects = lines_of(run("log", ledger, "--format", "jsonl"))
    assert len(rows) == len(objects)
    for row, expected in zip(rows, objects, strict=True):
        assert list(row) == list(expected)
        for name, value in expected.items():
            if name in {"project_names", "payload"}:
                assert json.loads(row[name]) == value
            else:
                assert row[name] == ("" if value is None else str(value))


@pytest.mark.parametrize("format", ["jsonl", "json", "table"])
def test_no_format_for_reading_lets_control_characters_through(
    run: Run, ledger: Path, format: str
) -> None:
    """Neither to a line nor to the terminal at the end of the pipe."""
    ran = run("log", ledger, "--format", format)

    assert is_safe(ran.stdout)
    assert "owned" in ran.stdout


def test_csv_in_a_terminal_is_escaped(terminal: Terminal, ledger: Path) -> None:
    """There it is read by a person, and obeyed by the terminal."""
    written = terminal(200, "log", ledger, "--format", "csv")

    assert is_safe(written)
    assert r"eve\n\x1b[31mroot" in written


# -- the table ------------------------------------------------------------------


def test_a_table_in_a_pipe_has_one_whole_line_an_entry(run: Run, ledger: Path) -> None:
    """Columns aligned, nothing cut, no colour, whatever width is claimed."""
    ran = run("log", ledger, COLUMNS="40", FORCE_COLOR="1")

    assert ran.returncode == 0
    assert ran.stderr == ""
    head, *lines = ran.stdout.splitlines()
    assert head.split() == ["index", "time", "type", "user", "plan", "outcome", "payload"]
    assert len(lines) == 6
    assert all(is_safe(line) for line in lines)
    for name in ("time", "type", "user", "plan", "outcome", "payload"):
        start = head.index(name)
        for line in lines:
            # In cells: some characters take two.
            before = next(
                line[:count] for count in range(len(line) + 1) if cell_len(line[:count]) >= start
            )
            assert before.endswith("  ")
            assert not line[len(before)].isspace()
    assert lines[0].split()[:3] == ["0", "2026-01-31T12:00:00.000000Z", "session.created"]
    assert 'new_value="Grüße, 日本語 and [red]no markup[/]"' in lines[2]
    assert '{"path":"logo.png","change":"created","lines_added":null' in lines[3]
    assert r"eve\n\x1b[31mroot\x1b]0;owned\x07 \x9b1m \u202egnp [bold]x[/]" in lines[4]
    assert r"\udcff name" in lines[4]


def test_a_table_in_a_terminal_is_coloured_and_fits(terminal: Terminal, ledger: Path) -> None:
    """One line an entry at every usual width, and no escapes but the table's own."""
    for columns in (60, 80, 100, 132, 250):
        written = terminal(columns, "log", ledger)

        assert "\x1b[31mfailure" in written
        assert "\x1b[32msuccess" in written
        assert "\x1b[35mdenied" in written
        text = COLOUR.sub("", written)
        assert is_safe(text)
        lines = text.splitlines()
        assert len(lines) == 7
        assert max(map(cell_len, lines)) <= columns
        assert [line.split()[0] for line in lines] == ["index", *"012345"]
        assert "[red]no markup[/]" in text or columns < 250


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colour_gets_none(
    terminal: Terminal, ledger: Path, changes: dict[str, str]
) -> None:
    """By NO_COLOR, or because it has none."""
    written = terminal(100, "log", ledger, **changes)

    assert not re.search(r"\x1b\[3\dm", written)


def test_a_locale_without_the_characters_gets_their_escapes(run: Run, ledger: Path) -> None:
    """Never an encoding error in the middle of a table; JSON is UTF-8 everywhere."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}

    assert r"Gr\xfc\xdfe" in run("log", ledger, **ascii_only).stdout
    assert "Grüße" in run("log", ledger, "--format", "jsonl", **ascii_only).stdout


def test_a_table_says_when_older_entries_are_left_out(
    run: Run, append: Append, tmp_path: Path
) -> None:
    """Only then, and only where nobody asked for a number; other formats have all."""
    path = tmp_path / "long.db"
    append(path, [ConfigChanged(key=f"k{number}", scope="file") for number in range(1000)])
    assert run("log", path).stderr == ""
    append(path, [ConfigChanged(key="k1000", scope="file")])

    ran = run("log", path)

    assert ran.returncode == 0
    assert len(ran.stdout.splitlines()) == 1001
    assert ran.stdout.splitlines()[1].split()[0] == "1"
    assert ran.stderr.startswith("minutebook: only the newest 1000 entries are shown")
    assert ran.stderr.count("\n") == 1
    few = run("log", path, "--limit", "2")
    assert few.stderr == ""
    assert [line.split()[0] for line in few.stdout.splitlines()] == ["index", "999", "1000"]
    assert len(run("log", path, "--limit", "1001").stdout.splitlines()) == 1002
    for name, lines in (("jsonl", 1001), ("csv", 1002), ("json", 1003)):
        assert run("log", path, "--format", name).stdout.count("\n") == lines


def test_when_nothing_matches_the_table_is_empty_and_says_so(run: Run, ledger: Path) -> None:
    """On standard error, for the eyes; it is no failure."""
    ran = run("log", ledger, "--type", "never.heard_of_it")

    assert ran.returncode == 0
    assert ran.stdout.count("\n") == 1
    assert ran.stderr == "minutebook: no entries match.\n"


# -- filters --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "indexes"),
    [
        (["--type", "session.created"], [0, 5]),
        (["--type", "*.created", "--type", "auth.failed"], [0, 1, 5]),
        (["--type", "[ap]*"], [1, 3]),
        (["--type", "nobody.knows"], []),
        (["--user", "alice@example.com"], [0, 2, 3]),
        (["--plan", "0199abcd-ef01-7000-8000-00000000a001"], [3]),
        (["--session", "s-1"], [0, 2, 3]),
        (["--correlation", "req-1"], [0, 2, 3]),
        (["--outcome", "failure"], [1]),
        (["--outcome", "success"], [0, 2, 3, 4]),
        (["--since", "2026-01-31T15:00:00Z"], [3, 4, 5]),
        (["--until", "2026-01-31T15:00:00Z"], [0, 1, 2]),
        (["--since", "2026-01-31T15:00:00+01:00", "--until", "2026-01-31 16:00"], [2, 3]),
        (["--since", "2026-01-31", "--until", "2026-02-01"], [0, 1, 2, 3, 4, 5]),
        (["--until", "1d"], [0, 1, 2, 3, 4, 5]),
        (["--limit", "2"], [4, 5]),
        (["--type", "config.*", "--user", "alice@example.com", "--limit", "1"], [2]),
    ],
)
def test_filters(run: Run, ledger: Path, arguments: list[str], indexes: list[int]) -> None:
    """Each alone and together, newest last."""
    objects = lines_of(run("log", ledger, *arguments, "--format", "jsonl"))

    assert [entry["log_index"] for entry in objects] == indexes


def test_since_counts_back_from_now(run: Run, append: Append, tmp_path: Path) -> None:
    """What has just been told occurred within the last minute, the rest did not."""
    path = tmp_path / "now.db"
    append(
        path,
        [
            ConfigChanged(key="old", scope="file", occurred_at=datetime(2026, 1, 31, tzinfo=UTC)),
            ConfigChanged(key="new", scope="file"),
        ],
    )

    assert [
        entry["payload"]["key"]
        for entry in lines_of(run("log", path, "--since", "1m", "--format", "jsonl"))
    ] == ["new"]


# -- what is refused ------------------------------------------------------------


@pytest.fixture
def refused(run: Run) -> Refused:
    """Runs what must be refused: one line, status 2, no output; returns the line."""

    def run_refused(*arguments: str | Path) -> str:
        ran = run(*arguments)
        assert ran.returncode == 2, ran.stderr
        assert ran.stdout == ""
        assert ran.stderr.startswith("minutebook: ")
        assert ran.stderr.endswith(".\n")
        assert is_safe(ran.stderr)
        assert ran.stderr.count("\n") == 1
        return ran.stderr

    return run_refused


def test_a_missing_ledger(refused: Refused, tmp_path: Path) -> None:
    """It is not made."""
    assert "there is no ledger at" in refused("log", "missing.db")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_ledger(refused: Refused, tmp_path: Path) -> None:
    """Text, a directory, an empty file; each left as it is."""
    (tmp_path / "notes.txt").write_text("buy milk\n")
    (tmp_path / "empty.db").touch()

    assert "no SQLite database" in refused("log", "notes.txt")
    assert "is a directory" in refused("log", tmp_path)
    assert "is empty" in refused("log", "empty.db")
    assert (tmp_path / "notes.txt").read_text() == "buy milk\n"
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "empty.db"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--since", "yesterday"], "'yesterday' is no time; write 2026-01-31"),
        (["--until", "\x1b[31m\n"], r"'\x1b[31m\n' is no time"),
        (["--since", "1h", "--until", "2h"], "swap the two times"),
        (["--outcome", "great"], "--outcome"),
        (["--format", "xml"], "--format"),
        (["--limit", "0"], "--limit"),
        (["--limit", "many"], "--limit"),
        (["--bogus"], "No such option: --bogus"),
        (["--typo\n\x1b[31m"], "No such option"),
        (["extra"], "extra"),
    ],
)
def test_a_wrong_option(
    refused: Refused, ledger: Path, arguments: list[str], complaint: str
) -> None:
    """The line names what is wrong, and what would be right."""
    assert complaint in refused("log", ledger, *arguments)


def test_a_missing_argument_and_an_unknown_command(refused: Refused) -> None:
    """With where to read on."""
    assert "LEDGER" in refused("log")
    assert "see minutebook log --help" in refused("log")
    assert "No such command 'lag'" in refused("lag")


def test_an_entry_whose_bytes_are_no_json(run: Run, ledger: Path) -> None:
    """Somebody got past the triggers: said, in one line."""
    connection = apsw.Connection(str(ledger))
    connection.execute("DROP TRIGGER entries_are_never_changed")
    connection.execute("UPDATE entries SET body = x'00' WHERE log_index = 3")
    connection.close()

    for name in ("table", "jsonl"):
        ran = run("log", ledger, "--format", name)
        assert ran.returncode == 2
        assert ran.stderr.count("\n") == 1
        assert "edited or is damaged" in ran.stderr


# -- the program ----------------------------------------------------------------


def test_help_has_an_example_for_each_command(run: Run) -> None:
    """And none of it needs a ledger."""
    assert "Example: minutebook log" in run("--help").stdout
    for command in ("log", "show"):
        ran = run(command, "--help")
        assert ran.returncode == 0
        assert f"Example: minutebook {command} audit.db" in ran.stdout


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    """It names the commands."""
    ran = run()

    for command in ("demo", "log", "show"):
        assert command in ran.stdout + ran.stderr


def test_the_version_is_printed(run: Run) -> None:
    """One line."""
    ran = run("--version")

    assert ran.returncode == 0
    assert re.fullmatch(r"minutebook \S.*\n", ran.stdout)


def test_reading_loads_neither_the_actors_nor_argon2(ledger: Path) -> None:
    """It starts fast: what only the system needs is not imported."""
    program = (
        "import sys; from minutebook.actors.cli.main import run;"
        f"status = run(['log', {str(ledger)!r}]);"
        "heavy = {'pykka', 'argon2', 'tomlkit', 'pydantic_settings'};"
        "print(status, sorted(heavy.intersection(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert ran.stdout.splitlines()[-1] == "0 []", ran.stderr


@pytest.fixture
def long_ledger(append: Append, tmp_path: Path) -> Path:
    """More than fits into a pipe."""
    path = tmp_path / "long.db"
    append(
        path,
        [ConfigChanged(key="k", new_value="x" * 1000, scope="file") for _ in range(2000)],
    )
    return path


@pytest.mark.parametrize("format", ["table", "json", "jsonl", "csv"])
def test_nobody_reading_on_ends_it_without_a_word(long_ledger: Path, format: str) -> None:
    """As in `minutebook log ... | head -1`."""
    with subprocess.Popen(
        [sys.executable, "-m", "minutebook.actors.cli", "log", long_ledger, "--limit", "2000",
         "--format", format],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) in {-signal.SIGPIPE, 1}


def test_ctrl_c_ends_it_with_status_130(long_ledger: Path) -> None:
    """Without a traceback, and without waiting for somebody to read the rest."""
    with subprocess.Popen(
        [sys.executable, "-m", "minutebook.actors.cli", "log", long_ledger, "--format", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # It is at work once the first bytes are there; then it waits for a reader.
        os.read(process.stdout.fileno(), 1)
        for _ in range(12):
            # Again, as somebody at a keyboard would: Python does not see a signal that comes in
            # the instant before a write blocks.
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
                break
        assert process.poll() == 130
        assert process.stderr.read().strip() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_below_the_output_is_said(ledger: Path) -> None:
    """One line, and not status 0."""
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "minutebook.actors.cli", "log", ledger],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert ran.returncode == 1
    assert ran.stderr == "minutebook: No space left on device.\n"


def test_a_read_only_ledger_is_listed(run: Run, ledger: Path, tmp_path: Path) -> None:
    """And nothing is left beside it."""
    ledger.chmod(0o444)
    before = sorted(tmp_path.iterdir())

    assert len(lines_of(run("log", ledger, "--format", "jsonl"))) == 6
    assert sorted(tmp_path.iterdir()) == before
