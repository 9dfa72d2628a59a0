"""``minutebook app plan``, where people look at a plan: decisions, corrections, approvals."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from minutebook.actors.cli.app.host import host_of
from minutebook.actors.cli.app.plan import Id, app
from minutebook.domain.plan import Phase

__all__ = ["app"]  # with the commands of both files

Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the record.")]


class Mode(StrEnum):
    """How a decision is corrected."""

    REVERT = "revert"
    APPEND = "append"


@app.command(
    "decide",
    epilog="Example: minutebook app --ledger audit.db plan decide PLAN 'Which tool?' sed",
)
def decide(
    context: typer.Context,
    plan_id: Id,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What was to be decided.")],
    choice: Annotated[str, typer.Argument(metavar="CHOICE", help="What was decided.")],
    because: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None,
    instead_of: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="What else could have been. Give it again for more."),
    ] = None,
) -> None:
    """Record a decision about a plan, and print its id."""
    host = host_of(context)
    with host.opened() as system:
        decision = system.plans.decide(
            plan_id, question, choice=choice, rationale=because, alternatives=instead_of or ()
        ).get()
    host.say(decision.decision_id, decision)


@app.command("decisions", epilog="Example: minutebook app --ledger audit.db plan decisions PLAN")
def decisions(context: typer.Context, plan_id: Id) -> None:
    """List the decisions about a plan, oldest first."""
    host = host_of(context)
    with host.opened() as system:
        found = system.plans.decisions(plan_id).get()
    host.answer(found, "decision_id", "phase", "question", "choice", "decided_by", "reverted_by")


@app.command(
    "correct",
    epilog="Example: minutebook app --ledger audit.db plan correct PLAN DECISION --guidance 'Keep"
    " the old name' --mode revert",
)
def correct(
    context: typer.Context,
    plan_id: Id,
    decision_id: Annotated[
        str, typer.Argument(metavar="DECISION", help="The id of the decision to correct.")
    ],
    guidance: Annotated[str, typer.Option(metavar="TEXT", help="What is to be done otherwise.")],
    mode: Annotated[
        Mode,
        typer.Option(
            metavar="MODE",
            help="revert: back to before the decision; append: on from what is there.",
        ),
    ] = Mode.APPEND,
    phase: Annotated[
        Phase, typer.Option(metavar="PHASE", help="Which the plan re-enters.")
    ] = Phase.EXECUTE,
) -> None:
    """Correct a decision, and have the plan re-enter a phase."""
    host = host_of(context)
    with host.opened() as system:
        correction = system.plans.correct(
            plan_id, decision_id=decision_id, mode=mode.value, guidance=guidance, phase=phase
        ).get()
    host.say(f"plan {correction.plan_id} is in phase {correction.phase} again", correction)


@app.command(
    "corrections", epilog="Example: minutebook app --ledger audit.db plan corrections PLAN"
)
def corrections(context: typer.Context, plan_id: Id) -> None:
    """List a plan's corrections, oldest first."""
    host = host_of(context)
    with host.opened() as system:
        found = system.plans.corrections(plan_id).get()
    host.answer(found, "attempt_id", "decision_id", "mode", "phase", "guidance", "corrected_by")


@app.command("approve", epilog="Example: minutebook app --ledger audit.db plan approve PLAN")
def approve(context: typer.Context, plan_id: Id, reason: Reason = None) -> None:
    """Approve of a plan that needs it."""
    host = host_of(context)
    with host.opened() as system:
        plan = system.plans.approve(plan_id, reason=reason).get()
    host.say(f"plan {plan.plan_id} is approved by {host.identity}", plan)


@app.command(
    "deny", epilog="Example: minutebook app --ledger audit.db plan deny PLAN --reason 'too large'"
)
def deny(context: typer.Context, plan_id: Id, reason: Reason = None) -> None:
    """Do not approve of a plan that needs it: it ends."""
    host = host_of(context)
    with host.opened() as system:
        plan = system.plans.deny(plan_id, reason=reason).get()
    host.say(f"plan {plan.plan_id} is denied by {host.identity}", plan)
