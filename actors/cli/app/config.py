"""``minutebook app config``: the host's settings."""

from __future__ import annotations

from typing import Annotated, Any

import tomlkit
import typer
from pydantic import SecretStr
from tomlkit.exceptions import TOMLKitError

from minutebook.actors.cli.app.host import host_of, noun, revealed
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.redaction import is_secret_name

Key = Annotated[str, typer.Argument(metavar="KEY", help="Dotted name, such as model.name.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show secrets in clear.")]

app = noun("Settings of the host, in layers.")


@app.command("get", epilog="Example: minutebook app --ledger audit.db config get model.name")
def get(context: typer.Context, key: Key, reveal: Reveal = False) -> None:
    """Show the value that holds for a setting."""
    host = host_of(context)
    with host.opened() as system:
        setting = system.config.get(key).get()
    host.answer(revealed(setting) if reveal else setting)


@app.command("list", epilog="Example: minutebook app --ledger audit.db config list")
def list_settings(context: typer.Context, reveal: Reveal = False) -> None:
    """List all settings."""
    host = host_of(context)
    with host.opened() as system:
        found = system.config.list().get()
    shown = [revealed(setting) for setting in found] if reveal else found
    host.answer(shown, "key", "value", "scope", "secret")


@app.command(
    "set", epilog="Example: minutebook app --ledger audit.db config set model.temperature 0.7"
)
def set_value(
    context: typer.Context,
    key: Key,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="[VALUE]",
            help="As TOML has it: 30, true, 2026-01-31, ['a', 'b']; anything else is text. Left"
            " out for a secret, which is asked for, or taken from MINUTEBOOK_PASSWORD.",
        ),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="The value is text, whatever it looks like.")
    ] = False,
    secret: Annotated[
        bool | None,
        typer.Option(
            "--secret/--no-secret",
            help="Whether it is masked wherever it is recorded; judged by its name when not given.",
        ),
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the value from standard input, one line.")
    ] = False,
) -> None:
    """Set a setting."""
    host = host_of(context)
    is_secret = is_secret_name(key) if secret is None else secret
    given: Any
    if value is None:
        given = host.read_secret("Value", from_stdin=stdin)
        if not is_secret:
            given = _value(given.get_secret_value(), text=text)
    elif is_secret:
        msg = (
            f"{key} is a secret, and other users see the arguments of a process: leave its value"
            " out to be asked for it, or use --stdin; or say --no-secret."
        )
        raise InvalidCommand(msg)
    else:
        given = _value(value, text=text)
    with host.opened(make=True) as system:
        setting = system.config.set(key, given, secret=secret).get()
    host.answer(setting)


@app.command("unset", epilog="Example: minutebook app --ledger audit.db config unset model.name")
def unset(context: typer.Context, key: Key) -> None:
    """Remove a setting, and show what it was."""
    host = host_of(context)
    with host.opened() as system:
        setting = system.config.unset(key).get()
    host.answer(setting)


@app.command("delete", epilog="Example: minutebook app --ledger audit.db config delete")
def delete(context: typer.Context) -> None:
    """Remove all settings, with their file."""
    host = host_of(context)
    with host.opened() as system:
        count = system.config.delete().get()
    host.say(f"{count} settings are removed", {"removed": count})


def _value(text_given: str, *, text: bool) -> Any:
    if text:
        return text_given
    try:
        value = tomlkit.value(text_given).unwrap()
    except (TOMLKitError, ValueError):
        return text_given
    return value.get_secret_value() if isinstance(value, SecretStr) else value
