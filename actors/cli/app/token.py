"""``minutebook app token``: what programs sign in with."""

from __future__ import annotations

from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of, noun

app = noun("API tokens: what programs sign in with.")


@app.command(
    "create", epilog="Example: minutebook app --ledger audit.db token create alice --label ci"
)
def create(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose it is.")],
    label: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")],
    expires_in: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="How long it is accepted; until it is revoked, if not given."
        ),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="What may be done with it. Give it again for more."),
    ] = None,
) -> None:
    """Make an API token, and print its secret: that is shown this once."""
    host = host_of(context)
    with host.opened() as system:
        token = system.auth.create_token(
            user, label=label, expires_in=expires_in, scopes=scope or ()
        ).get()
    secret = token.secret.get_secret_value()
    if host.json:
        shown = token.model_dump(exclude={"secret"})
        host.answer(shown | {"secret_shown_once": secret})
    else:
        # Alone on standard output, so that it can be piped into a file.
        print(secret)
        typer.echo(f"token {token.token_id} of {token.user_name}; it is shown this once", err=True)


@app.command(
    "check", epilog="Example: minutebook app --ledger audit.db token check --stdin < token"
)
def check(
    context: typer.Context,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the token from standard input, one line.")
    ] = False,
    on_behalf_of: Annotated[
        str | None, typer.Option(metavar="PERSON", help="For whom its user acts.")
    ] = None,
) -> None:
    """Check an API token, as a sign-in does; how it ends is recorded."""
    host = host_of(context)
    secret = host.read_secret("Token", from_stdin=stdin)
    with host.opened() as system:
        principal = system.auth.authenticate_token(secret, on_behalf_of=on_behalf_of).get()
    whom = "" if principal.on_behalf_of is None else f", for {principal.on_behalf_of}"
    host.say(f"{principal.name} is let in by {principal.method}{whom}", principal)


@app.command("list", epilog="Example: minutebook app --ledger audit.db token list --user alice")
def list_tokens(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(metavar="USER", help="Only this user's.")] = None,
) -> None:
    """List the tokens, without their secrets, oldest first."""
    host = host_of(context)
    with host.opened() as system:
        found = system.auth.list_tokens(user).get()
    host.answer(found, "token_id", "user_name", "label", "scopes", "expires_at", "revoked_at")


@app.command("revoke", epilog="Example: minutebook app --ledger audit.db token revoke ID")
def revoke(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id.")],
) -> None:
    """Accept a token no more, and close its sessions."""
    host = host_of(context)
    with host.opened() as system:
        gone = system.auth.revoke_token(token_id).get()
    host.say(f"token {gone.token_id} of {gone.user_name} is revoked", gone)
