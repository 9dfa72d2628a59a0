"""``minutebook app``: its options, and its nouns."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from minutebook.actors.cli.app import (
    config,
    delegation,
    plan_review,
    sandbox,
    session,
    token,
    user,
)
from minutebook.actors.cli.app.host import Host, noun, password_from_environment

app = noun("Use the services of a ledger's host: sessions, users, tokens, settings, plans.")

for name, commands in (
    ("user", user.app),
    ("token", token.app),
    ("delegation", delegation.app),
    ("session", session.app),
    ("config", config.app),
    ("plan", plan_review.app),
    ("sandbox", sandbox.app),
):
    app.add_typer(commands, name=name)


@app.callback(
    epilog="Example: minutebook app --ledger audit.db --as alice user add bob",
)
def options(
    context: typer.Context,
    # Not required by typer, which would ask for it where help is wanted.
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The ledger, always to be given; made by the first command that makes something.",
        ),
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="NAME", help="Who acts; the user of this machine when not given."
        ),
    ] = None,
    on_behalf_of: Annotated[
        str | None, typer.Option(metavar="NAME", help="For whom, where that is somebody else.")
    ] = None,
    session_id: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="In which session.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON, for programs.")] = False,
) -> None:
    """Use the services of a ledger's host: everything can be tried without writing code.

    Each command opens the audit system, does one thing, and closes it. What it does is
    recorded in the ledger, as of a host.
    """
    context.obj = Host(
        ledger=ledger,
        identity=getpass.getuser() if identity is None else identity,
        on_behalf_of=on_behalf_of,
        session_id=session_id,
        json=json,
        password=password_from_environment(),
    )
