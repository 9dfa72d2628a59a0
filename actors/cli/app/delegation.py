"""``minutebook app delegation``: who may act for whom."""

from __future__ import annotations

from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of, noun

Person = Annotated[str, typer.Argument(metavar="PERSON", help="The user who allows it.")]
Agent = Annotated[str, typer.Argument(metavar="AGENT", help="The user who may act.")]

app = noun("Delegations: which agent may act for which person.")


@app.command("allow", epilog="Example: minutebook app --ledger audit.db delegation allow alice bot")
def allow(
    context: typer.Context,
    person: Person,
    agent: Agent,
    expires_in: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="How long it holds; until it is revoked, if not given."
        ),
    ] = None,
) -> None:
    """Let an agent act for a person."""
    host = host_of(context)
    with host.opened() as system:
        made = system.auth.allow_delegation(person, agent, expires_in=expires_in).get()
    host.say(f"{made.agent} may act for {made.person}", made)


@app.command(
    "revoke", epilog="Example: minutebook app --ledger audit.db delegation revoke alice bot"
)
def revoke(context: typer.Context, person: Person, agent: Agent) -> None:
    """Let an agent act for a person no more."""
    host = host_of(context)
    with host.opened() as system:
        gone = system.auth.revoke_delegation(person, agent).get()
    host.say(f"{gone.agent} may not act for {gone.person} any more", gone)


@app.command("list", epilog="Example: minutebook app --ledger audit.db delegation list")
def list_delegations(
    context: typer.Context,
    person: Annotated[
        str | None, typer.Option(metavar="PERSON", help="Only who may act for this one.")
    ] = None,
) -> None:
    """List who may act for whom."""
    host = host_of(context)
    with host.opened() as system:
        found = system.auth.list_delegations(person).get()
    host.answer(found, "person", "agent", "allowed_at", "expires_at")
