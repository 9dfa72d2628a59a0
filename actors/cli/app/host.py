"""What every command of ``minutebook app`` does: open the system as somebody, and answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import BaseModel, SecretStr

from minutebook.actors.cli.columns import aligned
from minutebook.actors.cli.records import document
from minutebook.actors.cli.text import NOTHING, inline, local_part, visible
from minutebook.actors.key_file import load_or_create_key
from minutebook.actors.parts import side_file
from minutebook.actors.system import AuditSystem
from minutebook.domain.context import bind
from minutebook.domain.errors import InvalidCommand, LedgerMissing
from minutebook.domain.jsonable import jsonable
from minutebook.domain.redaction import Redactor
from minutebook.domain.surrogates import unescape_all

SERVICE: Final = "minutebook-app"
"""What the ``source`` of the events that are told begins with."""

PASSWORD_VARIABLE: Final = "MINUTEBOOK_PASSWORD"
"""Environment variable from which a password is read."""


@dataclass(frozen=True)
class Host:
    """Who asks what of which ledger; made from the options of ``minutebook app``."""

    ledger: Path | None
    """Its file, where it was given."""
    identity: str
    """As whom."""
    on_behalf_of: str | None
    """For whom."""
    session_id: str | None
    """In which session."""
    json: bool
    """Whether to answer with JSON."""
    password: str | None
    """From the environment."""

    @contextmanager
    def opened(self, *, make: bool = False) -> Iterator[AuditSystem]:
        """Have the system for a block, with the identity bound.

        Args:
            make: whether to make a ledger that is missing.
        """
        ledger = self._ledger()
        if not make and not ledger.exists():
            msg = f"there is no ledger at {ledger}; check --ledger."
            raise LedgerMissing(msg)
        with (
            AuditSystem.open(ledger, service=SERVICE) as system,
            bind(
                identity=self.identity,
                on_behalf_of=self.on_behalf_of,
                session_id=self.session_id,
            ),
        ):
            yield system

    def answer(self, answer: Any, *columns: str) -> None:
        """Print what a service answered.

        Args:
            answer: a state, a sequence of them, or nothing.
            columns: names of what a table shows of each.
        """
        if self.json:
            sys.stdout.buffer.write(document(self._plain(answer)) + b"\n")
        elif isinstance(answer, Sequence):
            rows = [{name: getattr(item, name) for name in columns} for item in answer]
            _print_table(columns, unescape_all(self._plain(rows)))
        else:
            _print_object(unescape_all(self._plain(answer)))

    def say(self, line: str, answer: Any) -> None:
        """Print one line; or, with ``--json``, what a service answered."""
        if self.json:
            self.answer(answer)
        else:
            print(visible(line))

    def read_secret(self, what: str, *, from_stdin: bool, confirm: bool = False) -> SecretStr:
        """Return a secret: from standard input, the environment, or somebody at a terminal.

        Never from an argument: other users see the arguments of a process.

        Args:
            what: such as ``Password``, for the prompt.
            from_stdin: whether to take the first line of standard input.
            confirm: whether somebody at a terminal types it twice.
        """
        if from_stdin:
            return SecretStr(sys.stdin.readline().rstrip("\r\n"))
        if self.password is not None:
            return SecretStr(self.password)
        if not sys.stdin.isatty():
            msg = (
                f"{what.lower()}: standard input is no terminal to ask at; use --stdin, or set"
                f" {PASSWORD_VARIABLE}."
            )
            raise InvalidCommand(msg)
        return SecretStr(typer.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True))

    def _ledger(self) -> Path:
        if self.ledger is None:
            msg = "which ledger? Give --ledger FILE behind `minutebook app`."
            raise InvalidCommand(msg)
        return self.ledger.expanduser().resolve()

    def _plain(self, answer: Any) -> Any:
        key_path = side_file(self._ledger(), ".app.key")
        return jsonable(answer, "answer", Redactor(lambda: load_or_create_key(key_path)))


def host_of(context: typer.Context) -> Host:
    """Return what the options of ``minutebook app`` say."""
    host = context.find_root().obj
    assert isinstance(host, Host)
    return host


def noun(help: str) -> typer.Typer:
    """Return the group of commands for one noun."""
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def password_from_environment() -> str | None:
    """Take the password out of the environment: the processes of plans inherit that."""
    return os.environ.pop(PASSWORD_VARIABLE, None)


def revealed(setting: BaseModel) -> Any:
    """Return a setting with its secret parts in clear, as what JSON can hold."""
    return setting.model_copy(update={"value": _in_clear(setting.__dict__["value"])})


def _in_clear(value: Any) -> Any:
    reveal: Callable[[], Any] | None = getattr(value, "get_secret_value", None)
    if reveal is not None:
        return _in_clear(reveal())
    if isinstance(value, dict):
        return {name: _in_clear(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_in_clear(item) for item in value]
    return value


def _print_table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        print("none", file=sys.stderr)
        return
    cells = [tuple(_cell(name, row[name]) for name in columns) for row in rows]
    for line in aligned([columns, *cells]):
        print(line)


def _print_object(answer: Any) -> None:
    if not isinstance(answer, dict):
        print(inline(answer))
        return
    for line in aligned([(name, _cell(name, value)) for name, value in answer.items()]):
        print(line)


def _cell(name: str, value: Any) -> str:
    if value is None or value == []:
        return NOTHING
    if name.endswith("_at"):
        return local_part(datetime.fromisoformat(value))
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(map(visible, value))
    return visible(value) if isinstance(value, str) else inline(value)
