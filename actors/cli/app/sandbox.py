"""``minutebook app sandbox``: where the work of plans runs."""

from __future__ import annotations

from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of, noun

Plan = Annotated[str, typer.Argument(metavar="PLAN", help="Whose sandboxes.")]

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
    plan_id: Plan,
) -> None:
    """Take a plan's sandbox away, with directory and branch."""
    host = host_of(context)
    with host.opened() as system:
        gone = system.sandboxes.release(plan_id).get()
    if gone is None:
        host.say(f"plan {plan_id} has no sandbox", None)
    else:
        host.say(f"{gone.files_freed} files, {gone.bytes_freed:,} bytes freed", gone)


@app.command("keep", epilog="Example: minutebook app --ledger audit.db sandbox keep PLAN")
def keep(context: typer.Context, plan_id: Plan) -> None:
    """Let a plan's sandboxes survive its end, until they are released."""
    host = host_of(context)
    with host.opened() as system:
        kept = system.sandboxes.keep(plan_id).get()
    host.answer(kept, "project_name", "path", "kept")


@app.command(
    "checkpoint",
    epilog="Example: minutebook app --ledger audit.db sandbox checkpoint PLAN --name 'it builds'",
)
def checkpoint(
    context: typer.Context,
    plan_id: Plan,
    name: Annotated[str, typer.Option(metavar="TEXT", help="What it is, in words.")],
) -> None:
    """Commit what a plan's sandboxes hold, so that a correction can go back there."""
    host = host_of(context)
    with host.opened() as system:
        made = system.sandboxes.checkpoint(plan_id, name=name).get()
    host.answer(made, "checkpoint_id", "project_name", "commit", "files_changed")


@app.command(
    "checkpoints", epilog="Example: minutebook app --ledger audit.db sandbox checkpoints PLAN"
)
def checkpoints(context: typer.Context, plan_id: Plan) -> None:
    """List a plan's checkpoints, oldest first."""
    host = host_of(context)
    with host.opened() as system:
        found = system.sandboxes.checkpoints(plan_id).get()
    host.answer(found, "checkpoint_id", "name", "project_name", "commit", "reverted_by")


@app.command(
    "orphans", epilog="Example: minutebook app --ledger audit.db sandbox orphans --release"
)
def orphans(
    context: typer.Context,
    release: Annotated[bool, typer.Option("--release", help="Take them away.")] = False,
) -> None:
    """Find the sandboxes, and their branches, that no living plan has any more."""
    host = host_of(context)
    with host.opened() as system:
        found = (
            system.sandboxes.release_orphans().get()
            if release
            else system.sandboxes.orphans().get()
        )
    host.answer(found, "plan_id", "kind", "path", "branch", "reason")
