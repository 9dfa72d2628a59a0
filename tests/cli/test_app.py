"""``minutebook app``: what a host does with its services, done from a shell."""

from __future__ import annotations

import functools
import io
import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from minutebook.actors.cli.app.main import app as services
from minutebook.actors.cli.main import run
from minutebook.actors.ledger.reader import LedgerReader
from tests.actors.project import Project
from tests.cli.conftest import COMMAND, environment

PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "purple monkey dishwasher"
API_KEY = "sk-live-0123456789abcdef"


class Said(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The only line of its output."""
        assert (self.status, self.err) == (0, ""), self
        (line,) = self.out.splitlines()
        return line


Use = Callable[..., Said]

COMMAND_OF = functools.cache(typer.main.get_command)


@pytest.fixture
def use(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Use:
    """Runs a command of the program in this process, as alice."""

    # Typer makes its commands anew for each call, which took a third of the time.
    monkeypatch.setattr(typer.main, "get_command", COMMAND_OF)

    def use_services(*arguments: str | Path, given: str = "", options: str = "") -> Said:
        stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        ledger = ["--ledger", str(tmp_path / "audit.db"), "--as", "alice", *options.split()]
        status = run(["app", *ledger, *map(str, arguments)])
        return Said(status, *capfd.readouterr())

    return use_services


def json_of(use: Use, *arguments: str | Path, **more: Any) -> Any:
    said = use(*arguments, options="--json", **more)
    assert (said.status, said.err) == (0, ""), said
    return json.loads(said.out)


def commands(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


COMMANDS = dict(commands(typer.main.get_command(services)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_has_a_help_text_and_an_example_of_itself(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    assert command.help.strip().endswith(".")
    begin, *example = shlex.split(command.epilog.partition("<")[0])
    assert begin == "Example:"
    assert example[:4] == ["minutebook", "app", "--ledger", "audit.db"]
    assert tuple(example[4 : 4 + len(path)]) == path
    # It parses: what it names is there.
    arguments = example[4 + len(path) :]
    command.make_context("example", arguments, resilient_parsing=False)
    for parameter in command.params:
        assert parameter.name == "help" or parameter.help, f"{path}: {parameter.name} has no help"


def test_users_tokens_and_sessions(
    use: Use, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = use("user", "add", "bob", "--role", "operator", "--stdin", given=f"{PASSWORD}\n")
    assert made.line == "user bob is made"
    monkeypatch.setenv("MINUTEBOOK_PASSWORD", PASSWORD)
    assert use("user", "check", "bob").line == "bob is let in by password"
    assert "MINUTEBOOK_PASSWORD" not in os.environ
    wrong = use("user", "check", "bob", "--stdin", given="wrong donkey\n")
    assert (wrong.status, wrong.out, wrong.err.count("\n")) == (2, "", 1)
    assert use("user", "grant", "bob", "reader").line == "bob has the roles operator, reader"
    assert use("user", "revoke", "bob", "operator").line == "bob has the roles reader"
    (bob,) = json_of(use, "user", "list")
    assert (bob["name"], bob["roles"], bob["failed_attempts"]) == ("bob", ["reader"], 1)
    assert use("user", "unlock", "bob").status == 0
    both = f"{PASSWORD}\n{OTHER_PASSWORD}\n"
    assert use("user", "password", "bob", "--stdin", given=both).line.endswith("is replaced")
    monkeypatch.setenv("MINUTEBOOK_PASSWORD", PASSWORD)
    assert use("user", "check", "bob").status == 2
    monkeypatch.setenv("MINUTEBOOK_PASSWORD", PASSWORD)
    assert use("user", "password", "bob", "--reset").line.endswith("is replaced")
    assert use("user", "check", "bob", "--stdin", given=f"{PASSWORD}\n").status == 0

    token = use("token", "create", "bob", "--label", "ci")
    assert token.status == 0
    assert token.out.startswith("mbk_")
    assert "shown this once" in token.err
    assert use("token", "check", "--stdin", given=token.out).line == "bob is let in by token"
    shown = json_of(use, "token", "create", "bob", "--label", "cd")
    assert shown["secret_shown_once"].startswith("mbk_")

    listed = json_of(use, "token", "list", "--user", "bob")
    assert [each["label"] for each in listed] == ["ci", "cd"]
    assert use("token", "revoke", listed[0]["token_id"]).line.endswith("of bob is revoked")
    assert use("token", "check", "--stdin", given=token.out).status == 2
    monkeypatch.setenv("MINUTEBOOK_PASSWORD", PASSWORD)
    assert use("user", "add", "eve").status == 0
    assert use("delegation", "allow", "eve", "bob").line == "bob may act for eve"
    for_eve = use(
        "token", "check", "--on-behalf-of", "eve", "--stdin", given=shown["secret_shown_once"]
    )
    assert for_eve.line == "bob is let in by token, for eve"
    assert [each["agent"] for each in json_of(use, "delegation", "list")] == ["bob"]
    assert use("delegation", "revoke", "eve", "bob").status == 0
    assert use("user", "disable", "eve").line == "user eve is disabled"
    assert json_of(use, "user", "show", "eve")["disabled_at"] is not None
    assert use("user", "enable", "eve").line == "user eve is enabled"

    session = use("session", "create", "local/reviewer", "--client", "tests").line
    assert json_of(use, "session", "show", session)["client"] == "tests"
    assert session in use("session", "list").out
    options = f"--on-behalf-of eve --session {session}"
    assert use("session", "touch", session).status == 0
    assert use("config", "set", "a.b", "1", options=options).status == 0
    assert use("session", "close", session, "--reason", "done").line.endswith("is closed")
    assert use("session", "list") == Said(0, "", "none\n")
    (closed,) = json_of(use, "session", "list", "--all")
    assert closed["close_reason"] == "done"
    assert use("session", "delete", session).status == 0
    assert use("user", "delete", "bob").line == "user bob is deleted"

    with LedgerReader(tmp_path / "audit.db") as reader:
        entries = [entry for entry in reader.entries() if not entry.type.startswith("audit.")]
    assert {entry.user_identity for entry in entries} == {"alice"}
    assert {entry.source.split("/")[0] for entry in entries} == {"minutebook-app"}
    (changed,) = (entry for entry in entries if entry.type == "config.changed")
    assert (changed.on_behalf_of, changed.session_id) == ("eve", session)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            secrets = (PASSWORD, OTHER_PASSWORD, token.out.strip(), shown["secret_shown_once"])
            for secret in secrets:
                assert secret.encode() not in path.read_bytes(), path


def test_settings(use: Use, tmp_path: Path) -> None:
    values = {"model.name": "gpt", "model.t": "0.7", "a.list": "['x', 1]", "a.when": "2026-01-31"}
    for key, value in values.items():
        assert use("config", "set", key, value).status == 0
    assert use("config", "set", "model.number", "7", "--text").status == 0
    assert use("config", "set", "a.api_key", "--stdin", given=API_KEY).status == 0
    listed = json_of(use, "config", "list")
    assert {each["key"]: each["value"] for each in listed if not each["secret"]} == {
        "model.name": "gpt",
        "model.t": 0.7,
        "a.list": ["x", 1],
        "a.when": "2026-01-31",
        "model.number": "7",
    }
    masked = json_of(use, "config", "get", "a.api_key")
    assert masked["value"].startswith("[secret hmac-sha256:")
    assert json_of(use, "config", "get", "a.api_key", "--reveal")["value"] == API_KEY
    assert API_KEY not in use("config", "list").out
    refused = use("config", "set", "a.api_key", "typed")
    assert (refused.status, refused.out) == (2, "")
    assert "leave its value out" in refused.err
    project = tmp_path / "project"
    project.mkdir()
    assert use("config", "set", "model.name", "llama", "--project", project).status == 0
    assert json_of(use, "config", "get", "model.name")["value"] == "gpt"
    assert json_of(use, "config", "get", "model.name", "--project", project)["value"] == "llama"
    explained = use("config", "explain", "model.name", "--project", project).out.splitlines()
    assert [line.split()[:2] for line in explained] == [
        ["value", "from"],
        ["llama", "project"],
        ["gpt", "file"],
    ]
    assert use("config", "unset", "model.name", "--project", project).status == 0
    assert use("config", "unset", "model.t").status == 0
    assert use("config", "get", "model.t").status == 2
    assert use("config", "delete").line == "5 settings are removed"


def test_a_plan_from_the_wish_to_the_commit_and_one_cancelled(use: Use, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    plan = use("plan", "create", "Change it", "--project", project.path).line
    assert use("plan", "strategize", plan, "with sed").line.endswith("is in phase strategize")
    neither = use("plan", "execute", plan)
    assert (neither.status, neither.err.count("\n")) == (2, 1)
    ran = use("plan", "execute", plan, "--", "sh", "-c", "echo hello; echo two >> README.md")
    assert (ran.status, ran.out.splitlines()[0]) == (0, "hello")
    assert ran.out.splitlines()[1].startswith("1 files changed in ")
    (sandbox,) = json_of(use, "sandbox", "list")
    assert (sandbox["plan_id"], Path(sandbox["path"]).is_dir()) == (plan, True)
    before = project.head
    applied = json_of(use, "plan", "apply", plan, "--check", "grep two README.md")
    assert (applied["lines_added"], applied["lines_removed"]) == (1, 0)
    assert project.numstat(before, project.head) == [(1, 0)]
    assert use("sandbox", "list").out == ""

    other = use("plan", "create", "Not this", "--project", project.path).line
    assert use("plan", "strategize", other, "somehow").status == 0
    called = use("plan", "execute", other, "--call", "tests.actors.works:write")
    assert called.status == 0
    cancelled = use("plan", "cancel", other, "--reason", "not needed")
    assert "given back: git_worktree" in cancelled.line
    assert [each["phase"] for each in json_of(use, "plan", "list")] == ["applied", "cancelled"]
    assert plan not in use("plan", "list", "--phase", "cancelled").out
    shown = use("plan", "show", other).out
    assert "action            Not this\n" in shown
    assert use("plan", "delete", other).status == 0
    assert use("plan", "show", other).status == 2


def test_a_plan_that_people_look_at(use: Use, tmp_path: Path) -> None:
    """Of a git project and a directory; decided, corrected, denied, and kept for a look."""
    project = Project(tmp_path / "project")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("a\n")
    both = ("--project", project.path, "--project", notes)
    plan = use("plan", "create", "Change both", *both, "--needs-approval").line
    assert use("plan", "strategize", plan, "by hand").status == 0
    because = ("--because", "it is there", "--instead-of", "perl")
    decision = use("plan", "decide", plan, "Which tool?", "sh", *because).line
    command = ("sh", "-c", "echo two >> README.md")
    assert use("plan", "execute", plan, "--keep", "--", *command).status == 0
    (first, _) = json_of(use, "sandbox", "checkpoint", plan, "--name", "it builds")
    assert first["project_name"] == "project"
    assert len(json_of(use, "sandbox", "checkpoints", plan)) == 2
    correction = ("--guidance", "use another word", "--mode", "append")
    assert use("plan", "correct", plan, decision, *correction).line.endswith("execute again")
    (corrected,) = json_of(use, "plan", "corrections", plan)
    assert (corrected["mode"], corrected["corrected_by"]) == ("append", "alice")
    (decided,) = json_of(use, "plan", "decisions", plan)
    assert (decided["choice"], decided["alternatives"]) == ("sh", ["perl"])
    assert use("plan", "execute", plan, "--", *command).status == 0
    refused = use("plan", "apply", plan)
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert use("plan", "deny", plan, "--reason", "no").line.endswith("is denied by alice")
    assert "project, notes" in use("plan", "list", "--phase", "constrained").out
    assert len(json_of(use, "sandbox", "keep", plan)) == 2
    assert json_of(use, "sandbox", "orphans") == []
    assert use("sandbox", "release", plan).status == 0
    assert use("sandbox", "list").err == "none\n"


def test_what_cannot_be_done_is_one_line_and_makes_nothing(use: Use, tmp_path: Path) -> None:
    said = use("user", "list")
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("minutebook: there is no ledger at ")
    assert list(tmp_path.iterdir()) == []
    said = use("user", "add", "bob")
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert "use --stdin, or set MINUTEBOOK_PASSWORD" in said.err
    assert run(["app", "user", "list"]) == 2
    assert run(["app", "plan", "--help"]) == 0


def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "app", "--ledger", "audit.db", "user", "add", "bob"],
        cwd=tmp_path,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    written = b""
    for prompt in (b"Password: ", b"Repeat for confirmation: "):
        while not written.endswith(prompt):
            written += os.read(ours, 1)
        os.write(ours, f"{PASSWORD}\n".encode())
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"user bob is made" in written
    assert PASSWORD.encode() not in written
