"""``minutebook app session``: stretches of work by one actor."""

from __future__ import annotations

from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of, noun

Id = Annotated[str, typer.Argument(metavar="ID", help="The session's id.")]

app = noun("Sessions: stretches of work by one actor of the host.")


@app.command(
    "create", epilog="Example: minutebook app --ledger audit.db session create local/reviewer"
)
def create(
    context: typer.Context,
    actor_name: Annotated[
        str, typer.Argument(metavar="ACTOR", help="Who works in it, such as local/reviewer.")
    ],
    client: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Program or address that it comes from."),
    ] = None,
    expires_in: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="When it ends in any case.")
    ] = None,
    idle_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="When it ends without a use.")
    ] = None,
) -> None:
    """Begin a session, and print its id."""
    host = host_of(context)
    with host.opened(make=True) as system:
        session = system.sessions.create(
            actor_name=actor_name, client=client, expires_in=expires_in, idle_limit=idle_limit
        ).get()
    host.say(session.session_id, session)


@app.command("list", epilog="Example: minutebook app --ledger audit.db session list --all")
def list_sessions(
    context: typer.Context,
    all: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
) -> None:
    """List the open sessions, oldest first."""
    host = host_of(context)
    with host.opened() as system:
        found = system.sessions.list(open_only=not all).get()
    host.answer(found, "session_id", "actor_name", "user_identity", "created_at", "closed_at")


@app.command("show", epilog="Example: minutebook app --ledger audit.db session show ID")
def show(context: typer.Context, session_id: Id) -> None:
    """Show a session."""
    host = host_of(context)
    with host.opened() as system:
        found = system.sessions.get(session_id).get()
    host.answer(found)


@app.command("touch", epilog="Example: minutebook app --ledger audit.db session touch ID")
def touch(context: typer.Context, session_id: Id) -> None:
    """Note that a session is used, which puts off its idle limit."""
    host = host_of(context)
    with host.opened() as system:
        used = system.sessions.touch(session_id).get()
    host.say(f"session {used.session_id} is open", used)


@app.command("close", epilog="Example: minutebook app --ledger audit.db session close ID")
def close(
    context: typer.Context,
    session_id: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "closed",
) -> None:
    """End a session."""
    host = host_of(context)
    with host.opened() as system:
        closed = system.sessions.close(session_id, reason=reason).get()
    host.say(f"session {closed.session_id} is closed", closed)


@app.command("delete", epilog="Example: minutebook app --ledger audit.db session delete ID")
def delete(context: typer.Context, session_id: Id) -> None:
    """Delete what is known of a closed session; the ledger keeps its events."""
    host = host_of(context)
    with host.opened() as system:
        gone = system.sessions.delete(session_id).get()
    host.say(f"session {gone.session_id} is deleted", gone)
