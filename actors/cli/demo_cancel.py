"""``minutebook demo cancel``: a plan with a child is cancelled in the middle of its work."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from minutebook.actors.cli import demo_work
from minutebook.actors.cli.demo import SERVICE, Steps, entries_so_far
from minutebook.actors.cli.demo_project import make_project
from minutebook.actors.cli.demo_story import wait_for_steps
from minutebook.actors.cli.detail import print_detail
from minutebook.actors.cli.table import print_table
from minutebook.actors.git.command import run_git
from minutebook.actors.ledger.reader import LedgerReader
from minutebook.actors.system import AuditSystem
from minutebook.actors.work.survivors import start_time
from minutebook.domain.context import bind
from minutebook.domain.errors import WorkFailed
from minutebook.domain.query import EntryFilter

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Cancelled:
    """What the story came to."""

    parent: str
    """Id of the plan that was cancelled."""
    child: str
    """Id of the plan that was a part of it."""
    processes: dict[int, int | None]
    """The helpers that its work had started: pid, and when it began."""


def cancel(
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write the ledger; a new temporary directory when not given. An"
            " existing ledger is added to only if a demo made it.",
        ),
    ] = None,
) -> int:
    """Cancel a plan and its child in the middle of their work, and show that nothing is left.

    The exit status is 1 when something is.
    """
    console = Console(highlight=False, soft_wrap=True)
    first = 0 if ledger is None else entries_so_far(ledger)
    workshop = Path(tempfile.mkdtemp(prefix="minutebook-demo-"))
    ledger = workshop / "audit.db" if ledger is None else ledger.expanduser().absolute()
    try:
        project = make_project(workshop)
    except BaseException:
        shutil.rmtree(workshop, ignore_errors=True)
        raise
    with AuditSystem.open(ledger, service=SERVICE) as system:
        told = _tell(system, project, Steps(console))
        sandboxes = system.sandboxes.list().get(timeout=_TIMEOUT_S)
    with LedgerReader(ledger) as reader:
        trail = [entry for entry in reader.entries(EntryFilter()) if entry.log_index >= first]
    entries = {entry.plan_id: entry for entry in trail if entry.type == "plan.cancelled"}
    print()
    print_table(trail)
    console.print("\nThe entry of the plan that was cancelled:\n")
    print_detail(entries[told.parent])
    child = entries[told.child]
    console.print(
        f"\nIts child {told.child} has an entry of its own ({child.log_index}), with the parent's"
        f" {child.causation_id} as its cause.\n"
    )
    is_left = _prove(console, project, told, len(sandboxes))
    console.print(f"\nledger   {ledger}\nproject  {project}", markup=False)
    return int(is_left)


def _tell(system: AuditSystem, project: Path, step: Steps) -> Cancelled:
    with bind(identity="alice@example.com"):
        with step("a plan is made, and another one that is a part of it"):
            parent = system.plans.create(action="Move the warehouse", project=project).get(
                timeout=_TIMEOUT_S
            )
            child = system.plans.create(
                action="Count what is there", project=project, parent_plan_id=parent.plan_id
            ).get(timeout=_TIMEOUT_S)
            for plan in (parent, child):
                system.plans.strategize(plan.plan_id, strategy="with helpers").get(
                    timeout=_TIMEOUT_S
                )
        with bind(plan_id=parent.plan_id):
            system.sessions.create(actor_name="local/mover").get(timeout=_TIMEOUT_S)
        with step("both begin to work, the first with two processes that go on"):
            running = [
                system.apply.execute(parent.plan_id, demo_work.herd),
                system.apply.execute(child.plan_id, demo_work.dawdle),
            ]
            for plan in (parent, child):
                wait_for_steps(system, plan.plan_id, steps=2)
            (sandbox,) = (
                sandbox
                for sandbox in system.sandboxes.list().get(timeout=_TIMEOUT_S)
                if sandbox.plan_id == parent.plan_id
            )
            helpers = Path(sandbox.path, "helpers.txt").read_text(encoding="utf-8").split()
            processes = {int(pid): start_time(int(pid)) for pid in helpers}
    with bind(identity="bob@example.com"), step("the first is cancelled"):
        system.plans.cancel(parent.plan_id, reason="the warehouse stays").get(timeout=_TIMEOUT_S)
        for future in running:
            with contextlib.suppress(WorkFailed):
                future.get(timeout=_TIMEOUT_S)
    with step("all that was told is committed"):
        system.flush(timeout=_TIMEOUT_S)
    return Cancelled(parent.plan_id, child.plan_id, processes)


def _prove(console: Console, project: Path, told: Cancelled, sandboxes: int) -> bool:
    """Show what is left, and tell whether it is anything."""
    worktrees = run_git(project, "worktree", "list").stdout.decode("utf-8", "replace").splitlines()
    branches = run_git(project, "branch", "--list").stdout.decode("utf-8", "replace").splitlines()
    living = [
        pid
        for pid, started in told.processes.items()
        if started is not None and start_time(pid) == started
    ]
    console.print("What is left:")
    for title, found in (("git worktree list", worktrees), ("git branch --list", branches)):
        console.print(f"    {title}")
        for line in found:
            console.print(f"        {line}", markup=False)
    pids = ", ".join(map(str, told.processes))
    console.print(f"    of the processes {pids}: {len(living)}")
    console.print(f"    sandboxes: {sandboxes}")
    return bool(living) or sandboxes > 0 or len(worktrees) > 1 or len(branches) > 1
