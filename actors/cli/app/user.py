"""``minutebook app user``: who can sign in."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of, noun

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="A word of the host's.")]
Stdin = Annotated[
    bool, typer.Option("--stdin", help="Read the password from standard input, one line.")
]

app = noun("Users: who can sign in.")


@app.command("add", epilog="Example: minutebook app --ledger audit.db user add alice")
def add(
    context: typer.Context,
    name: Name,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE", help="What the user may do. Give it again for more."),
    ] = None,
    stdin: Stdin = False,
) -> None:
    """Make a user; the password is asked for, or taken from MINUTEBOOK_PASSWORD."""
    host = host_of(context)
    password = host.read_secret("Password", from_stdin=stdin, confirm=True)
    with host.opened(make=True) as system:
        made = system.auth.create_user(name, password, roles=role or ()).get()
    host.say(f"user {made.name} is made", made)


@app.command("list", epilog="Example: minutebook app --ledger audit.db user list")
def list_users(context: typer.Context) -> None:
    """List the users."""
    host = host_of(context)
    with host.opened() as system:
        found = system.auth.list_users().get()
    host.answer(found, "name", "roles", "created_at", "disabled_at", "lock_ends_at")


@app.command("show", epilog="Example: minutebook app --ledger audit.db user show alice")
def show(context: typer.Context, name: Name) -> None:
    """Show a user."""
    host = host_of(context)
    with host.opened() as system:
        found = system.auth.get_user(name).get()
    host.answer(found)


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


@app.command("password", epilog="Example: minutebook app --ledger audit.db user password alice")
def password(
    context: typer.Context,
    name: Name,
    reset: Annotated[
        bool, typer.Option("--reset", help="As an administrator, without the old password.")
    ] = False,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin", help="Read from standard input, a line each: the old password, the new one."
        ),
    ] = False,
) -> None:
    """Replace a user's password, and close the user's sessions."""
    host = host_of(context)
    # One variable cannot hold two passwords.
    asking = host if reset else replace(host, password=None)
    old = None if reset else asking.read_secret("Old password", from_stdin=stdin)
    new = asking.read_secret("New password", from_stdin=stdin, confirm=True)
    with host.opened() as system:
        if old is None:
            changed = system.auth.reset_password(name, new).get()
        else:
            changed = system.auth.change_password(name, old, new).get()
    host.say(f"the password of {changed.name} is replaced", changed)


@app.command("grant", epilog="Example: minutebook app --ledger audit.db user grant alice operator")
def grant(context: typer.Context, name: Name, role: Role) -> None:
    """Give a user a role."""
    host = host_of(context)
    with host.opened() as system:
        changed = system.auth.grant_role(name, role).get()
    host.say(f"{changed.name} has the roles {', '.join(changed.roles)}", changed)


@app.command(
    "revoke", epilog="Example: minutebook app --ledger audit.db user revoke alice operator"
)
def revoke(context: typer.Context, name: Name, role: Role) -> None:
    """Take a role from a user."""
    host = host_of(context)
    with host.opened() as system:
        changed = system.auth.revoke_role(name, role).get()
    host.say(f"{changed.name} has the roles {', '.join(changed.roles) or 'none'}", changed)


@app.command("disable", epilog="Example: minutebook app --ledger audit.db user disable alice")
def disable(context: typer.Context, name: Name) -> None:
    """Let a user in no more, and close the user's sessions."""
    host = host_of(context)
    with host.opened() as system:
        changed = system.auth.disable_user(name).get()
    host.say(f"user {changed.name} is disabled", changed)


@app.command("enable", epilog="Example: minutebook app --ledger audit.db user enable alice")
def enable(context: typer.Context, name: Name) -> None:
    """Let a disabled user in again."""
    host = host_of(context)
    with host.opened() as system:
        changed = system.auth.enable_user(name).get()
    host.say(f"user {changed.name} is enabled", changed)


@app.command("unlock", epilog="Example: minutebook app --ledger audit.db user unlock alice")
def unlock(context: typer.Context, name: Name) -> None:
    """End the lock that wrong passwords brought on a user."""
    host = host_of(context)
    with host.opened() as system:
        changed = system.auth.unlock_user(name).get()
    host.say(f"user {changed.name} is not locked", changed)


@app.command("delete", epilog="Example: minutebook app --ledger audit.db user delete alice")
def delete(context: typer.Context, name: Name) -> None:
    """Delete a user, with all tokens."""
    host = host_of(context)
    with host.opened() as system:
        gone = system.auth.delete_user(name).get()
    host.say(f"user {gone.name} is deleted", gone)
