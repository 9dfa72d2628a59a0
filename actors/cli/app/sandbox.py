"""``minutebook app sandbox``: where the work of plans runs."""

from __future__ import annotations

from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of, noun

app = noun("Sandboxes: where the work of plans runs, apart from the project.")


@app.command("list", epilog="Example: minutebook app --ledger audit.db sandbox list --all")
def list_sandboxes(
    context: typer.Context,
    all: Annotated[bool, typer.Option("--all", help="Those that are gone, too.")] = False,
) -> None:
    """List the sandboxes that exist, oldest first."""
    host = host_of(context)
    with host.opened() as system:
        found = system.sandboxes.list(existing_only=not all).get()
    host.answer(found, "plan_id", "kind", "path", "created_at", "released_at")


@app.command("release", epilog="Example: minutebook app --ledger audit.db sandbox release PLAN")
def release(
    context: typer.Context,
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Whose sandbox.")],
) -> None:
    """Take a plan's sandbox away, with directory and branch."""
    host = host_of(context)
    with host.opened() as system:
        gone = system.sandboxes.release(plan_id).get()
    if gone is None:
        host.say(f"plan {plan_id} has no sandbox", None)
    else:
        host.say(f"{gone.files_freed} files, {gone.bytes_freed:,} bytes freed", gone)
