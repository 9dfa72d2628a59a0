"""``minutebook app config``: the host's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tomlkit
import typer
from pydantic import SecretStr
from tomlkit.exceptions import TOMLKitError

from minutebook.actors.cli.app.host import host_of, noun, revealed
from minutebook.actors.cli.columns import aligned
from minutebook.actors.cli.text import inline, visible
from minutebook.domain.commands.config import WritableLayer
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.redaction import is_secret_name

Key = Annotated[str, typer.Argument(metavar="KEY", help="Dotted name, such as model.name.")]
Project = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="As it is for this project, which has settings of its own."),
]
OfProject = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="In the file of this project, not in the host's."),
]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show secrets in clear.")]

app = noun("Settings of the host, in layers.")


@app.command("get", epilog="Example: minutebook app --ledger audit.db config get model.name")
def get(context: typer.Context, key: Key, project: Project = None, reveal: Reveal = False) -> None:
    """Show the value that holds for a setting."""
    host = host_of(context)
    with host.opened() as system:
        setting = system.config.get(key, project=project).get()
    host.answer(revealed(setting) if reveal else setting)


@app.command("list", epilog="Example: minutebook app --ledger audit.db config list")
def list_settings(context: typer.Context, project: Project = None, reveal: Reveal = False) -> None:
    """List all settings that hold."""
    host = host_of(context)
    with host.opened() as system:
        found = system.config.list(project=project).get()
    shown = [revealed(setting) for setting in found] if reveal else found
    host.answer(shown, "key", "value", "scope", "secret")


@app.command(
    "explain", epilog="Example: minutebook app --ledger audit.db config explain model.name"
)
def explain(context: typer.Context, key: Key, project: Project = None) -> None:
    """Say what each layer has of a setting, which one holds, and where it stands."""
    host = host_of(context)
    with host.opened() as system:
        explained = system.config.explain(key, project=project).get()
    if host.json:
        host.answer(explained)
        return
    rows = [("value", "from")]
    rows += [(inline(layer.value), visible(str(layer.origin))) for layer in explained.layers]
    for line in aligned(rows):
        print(line)
    for problem in explained.problems:
        print(visible(problem))


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
    project: OfProject = None,
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
        setting = system.config.set(
            key, given, secret=secret, layer=_layer(project), project=project
        ).get()
    host.answer(setting)


@app.command("unset", epilog="Example: minutebook app --ledger audit.db config unset model.name")
def unset(context: typer.Context, key: Key, project: OfProject = None) -> None:
    """Remove a setting, and show what it was."""
    host = host_of(context)
    with host.opened() as system:
        setting = system.config.unset(key, layer=_layer(project), project=project).get()
    host.answer(setting)


@app.command("delete", epilog="Example: minutebook app --ledger audit.db config delete")
def delete(context: typer.Context, project: OfProject = None) -> None:
    """Remove all settings, with their file."""
    host = host_of(context)
    with host.opened() as system:
        count = system.config.delete(layer=_layer(project), project=project).get()
    host.say(f"{count} settings are removed", {"removed": count})


def _layer(project: Path | None) -> WritableLayer:
    return "file" if project is None else "project"


def _value(text_given: str, *, text: bool) -> Any:
    if text:
        return text_given
    try:
        value = tomlkit.value(text_given).unwrap()
    except (TOMLKitError, ValueError):
        return text_given
    return value.get_secret_value() if isinstance(value, SecretStr) else value
