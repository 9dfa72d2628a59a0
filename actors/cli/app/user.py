"""``minutebook app user``: who can sign in."""

from __future__ import annotations

from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of, noun

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
Stdin = Annotated[
    bool, typer.Option("--stdin", help="Read the password from standard input, one line.")
]

app = noun("Users: who can sign in.")


@app.command("add", epilog="Example: minutebook app --ledger audit.db user add alice")
def add(context: typer.Context, name: Name, stdin: Stdin = False) -> None:
    """Make a user; the password is asked for, or taken from MINUTEBOOK_PASSWORD."""
    host = host_of(context)
    password = host.read_secret("Password", from_stdin=stdin, confirm=True)
    with host.opened(make=True) as system:
        made = system.auth.create_user(name, password).get()
    host.say(f"user {made.name} is made", made)


@app.command("list", epilog="Example: minutebook app --ledger audit.db user list")
def list_users(context: typer.Context) -> None:
    """List the users."""
    host = host_of(context)
    with host.opened() as system:
        found = system.auth.list_users().get()
    host.answer(found, "name", "created_at")


@app.command("check", epilog="Example: minutebook app --ledger audit.db user check alice")
def check(
    context: typer.Context,
    name: Name,
    stdin: Stdin = False,
    source_address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where it is said to come from.")
    ] = None,
) -> None:
    """Check a user's password, as a sign-in does; how it ends is recorded."""
    host = host_of(context)
    password = host.read_secret("Password", from_stdin=stdin)
    with host.opened() as system:
        principal = system.auth.authenticate(name, password, source_address=source_address).get()
    host.say(f"{principal.name} is let in by {principal.method}", principal)


@app.command("delete", epilog="Example: minutebook app --ledger audit.db user delete alice")
def delete(context: typer.Context, name: Name) -> None:
    """Delete a user, with all tokens."""
    host = host_of(context)
    with host.opened() as system:
        gone = system.auth.delete_user(name).get()
    host.say(f"user {gone.name} is deleted", gone)
