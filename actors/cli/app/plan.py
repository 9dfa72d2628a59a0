"""``minutebook app plan``: changes to projects, from the wish to the commit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of, noun
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.plan import Phase

Id = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id.")]

app = noun("Plans: changes to projects, from the wish to the commit.")


@app.command(
    "create",
    epilog="Example: minutebook app --ledger audit.db plan create 'Fix the typo' --project ~/site",
)
def create(
    context: typer.Context,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="What it is to do, in words.")],
    project: Annotated[
        list[Path],
        typer.Option(metavar="PATH", help="A project's directory. Give it again for more."),
    ],
    parent: Annotated[
        str | None, typer.Option(metavar="PLAN", help="The plan that it is a part of.")
    ] = None,
    needs_approval: Annotated[
        bool, typer.Option("--needs-approval", help="It has to be approved before an apply.")
    ] = False,
    attempts_max: Annotated[
        int, typer.Option(metavar="N", min=1, help="How often it may be executed.")
    ] = 10,
) -> None:
    """Make a plan for a project, or for several, and print its id."""
    host = host_of(context)
    with host.opened(make=True) as system:
        plan = system.plans.create(
            action=action,
            projects=project,
            parent_plan_id=parent,
            needs_approval=needs_approval,
            attempts_max=attempts_max,
        ).get()
    host.say(plan.plan_id, plan)


@app.command(
    "strategize",
    epilog="Example: minutebook app --ledger audit.db plan strategize PLAN 'With sed'",
)
def strategize(
    context: typer.Context,
    plan_id: Id,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="How, in words.")],
) -> None:
    """Say how a plan is to be done."""
    host = host_of(context)
    with host.opened() as system:
        plan = system.plans.strategize(plan_id, strategy=strategy).get()
    host.say(f"plan {plan.plan_id} is in phase {plan.phase}", plan)


@app.command(
    "execute",
    epilog="Example: minutebook app --ledger audit.db plan execute PLAN -- sed -i s/teh/the/ a.md",
)
def execute(
    context: typer.Context,
    plan_id: Id,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND...", help="The command line that does it, after --."),
    ] = None,
    call: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FUNCTION", help="A function that does it, instead of a command."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="The sandbox survives the plan's end, until a release.")
    ] = False,
) -> None:
    """Run a plan's work in a sandbox, and wait for its end."""
    host = host_of(context)
    if (call is None) == (not command):
        msg = "execute: give either a command after --, or --call MODULE:FUNCTION."
        raise InvalidCommand(msg)
    with host.opened() as system:
        done = system.apply.execute(plan_id, command or call or "", keep=keep).get()
    if host.json:
        host.answer(done)
        return
    typer.echo(done.output, nl=not done.output.endswith("\n") and bool(done.output))
    host.say(f"{done.files_changed} files changed in {done.seconds:.2f} s", done)


@app.command(
    "apply",
    epilog="Example: minutebook app --ledger audit.db plan apply PLAN --check 'make test'",
)
def apply(
    context: typer.Context,
    plan_id: Id,
    check: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMMAND",
            help="A command line that must succeed in the merged tree. Give it again for more.",
        ),
    ] = None,
    check_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="How long each may take.")
    ] = 300.0,
) -> None:
    """Merge a plan's changes into its project, if they merge and pass every check."""
    host = host_of(context)
    validations = [shlex.split(line) for line in check or ()]
    with host.opened() as system:
        applying = system.apply.apply(
            plan_id, validations=validations, validation_timeout=check_timeout
        )
        done = applying.get()
    host.say(f"{done.files_changed} files changed, +{done.lines_added} -{done.lines_removed}", done)


@app.command(
    "cancel",
    epilog="Example: minutebook app --ledger audit.db plan cancel PLAN --reason 'not needed'",
)
def cancel(
    context: typer.Context,
    plan_id: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")],
) -> None:
    """Stop a plan, and give back what it holds."""
    host = host_of(context)
    with host.opened() as system:
        done = system.plans.cancel(plan_id, reason=reason).get()
    given_back = ", ".join(f"{held.kind} {held.id}" for held in done.released) or "nothing"
    host.say(f"plan {done.plan_id} is cancelled; given back: {given_back}", done)


@app.command("list", epilog="Example: minutebook app --ledger audit.db plan list --phase execute")
def list_plans(
    context: typer.Context,
    phase: Annotated[
        Phase | None, typer.Option(metavar="PHASE", help="Only those in this phase.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="PLAN", help="Only the children of this one.")
    ] = None,
) -> None:
    """List the plans, oldest first."""
    host = host_of(context)
    with host.opened() as system:
        found = system.plans.list(phase=phase, parent=parent).get()
    host.answer(found, "plan_id", "phase", "processing_state", "action", "project_names")


@app.command("show", epilog="Example: minutebook app --ledger audit.db plan show PLAN")
def show(context: typer.Context, plan_id: Id) -> None:
    """Show a plan."""
    host = host_of(context)
    with host.opened() as system:
        found = system.plans.get(plan_id).get()
    host.answer(found)


@app.command("delete", epilog="Example: minutebook app --ledger audit.db plan delete PLAN")
def delete(context: typer.Context, plan_id: Id) -> None:
    """Delete what is known of a plan that has ended; the ledger keeps its events."""
    host = host_of(context)
    with host.opened() as system:
        gone = system.plans.delete(plan_id).get()
    host.say(f"plan {gone.plan_id} is deleted", gone)
