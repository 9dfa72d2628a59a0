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
) -> None:
    """Make an API token, and print its secret: that is shown this once."""
    host = host_of(context)
    with host.opened() as system:
        token = system.auth.create_token(user, label=label).get()
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
) -> None:
    """Check an API token, as a sign-in does; how it ends is recorded."""
    host = host_of(context)
    secret = host.read_secret("Token", from_stdin=stdin)
    with host.opened() as system:
        principal = system.auth.authenticate_token(secret).get()
    host.say(f"{principal.name} is let in by {principal.method}", principal)
