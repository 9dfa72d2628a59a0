"""``minutebook demo``: the main job on a real repository, told step by step."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from minutebook.actors.cli.demo_project import copy_project, make_project
from minutebook.actors.cli.demo_story import Told, tell_story
from minutebook.actors.cli.table import print_table
from minutebook.actors.git.command import run_git
from minutebook.actors.ledger.reader import LedgerReader
from minutebook.actors.system import AuditSystem
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.query import EntryFilter

SERVICE = "demo"
"""What the ``source`` of a demo's events begins with."""

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(
    invoke_without_command=True,
    epilog="Example: minutebook demo --repo ~/src/project --ledger /tmp/trail.db",
)
def demo(
    context: typer.Context,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write the ledger; a new temporary directory when not given. An"
            " existing ledger is added to only if a demo made it.",
        ),
    ] = None,
    repo: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A git repository to work on: it is copied first, and only read. A small one"
            " is made when not given.",
        ),
    ] = None,
) -> None:
    """Take a real git repository through the main job, and show the trail that it leaves.

    Signs in, configures, lets one plan change the repository and cancels another.
    """
    if context.invoked_subcommand is not None:
        return
    console = Console(highlight=False, soft_wrap=True)
    first = 0 if ledger is None else entries_so_far(ledger)
    workshop = Path(tempfile.mkdtemp(prefix="minutebook-demo-"))
    ledger = workshop / "audit.db" if ledger is None else ledger.expanduser().absolute()
    try:
        project = make_project(workshop) if repo is None else copy_project(repo, workshop)
    except BaseException:
        shutil.rmtree(workshop, ignore_errors=True)
        raise
    if sys.stdout.isatty():
        console.print("[bold]Minutebook demo[/bold]: one person, one session, two plans\n")
    with AuditSystem.open(ledger, service=SERVICE) as system:
        told = tell_story(system, project, Steps(console))
    with LedgerReader(ledger) as reader:
        trail = [entry for entry in reader.entries(EntryFilter()) if entry.log_index >= first]
    print()
    print_table(trail)
    _explain(console, told, ledger, project)


def entries_so_far(ledger: Path) -> int:
    """Return how many entries a ledger has that a demo made.

    Raises:
        InvalidCommand: nobody's demo made it.
    """
    if not ledger.exists() or ledger.stat().st_size == 0:
        return 0
    with LedgerReader(ledger) as reader:
        count = reader.count()
        if count and reader.get("0").source != f"{SERVICE}/audit":
            msg = (
                f"{ledger} is a ledger that no demo made, and entries cannot be taken out of one"
                " again; give another --ledger."
            )
            raise InvalidCommand(msg)
        return count


class Steps:
    """Shows each step: with a spinner while it runs in a terminal, else as a line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = 0

    @contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        """Show a step while the block runs, and how long it took."""
        self._count += 1
        started = time.monotonic()
        line = f"{self._count:>2}. {title}"
        if self._console.is_terminal:
            with self._console.status(line):
                yield
        else:
            yield
        seconds = time.monotonic() - started
        self._console.print(f"{line} [dim]({seconds:.2f} s)[/dim]")


def _explain(console: Console, told: Told, ledger: Path, project: Path) -> None:
    applied, cancelled = told.applied, told.cancelled
    console.print(
        f"\nThe first plan changed {applied.files_changed} files, +{applied.lines_added}"
        f" -{applied.lines_removed}; git diff --numstat says:"
    )
    numstat = run_git(
        project, "diff", "--numstat", applied.commit_before, applied.commit_after
    ).stdout.decode("utf-8", "replace")
    for line in numstat.splitlines():
        console.print(f"    {line.expandtabs(8)}", markup=False)
    freed = sum(resource.bytes for resource in cancelled.released)
    kinds = ", ".join(resource.kind for resource in cancelled.released)
    console.print(
        f"The second plan was cancelled in {cancelled.seconds:.2f} s and gave back"
        f" {kinds} ({freed:,} bytes)."
    )
    console.print(f"\nledger   {ledger}\nproject  {project}\n\nWhat to run next:", markup=False)
    for command in (
        ("log", str(ledger), "--type", "plan.*"),
        ("log", str(ledger), "--user", told.identity, "--outcome", "failure"),
        ("show", str(ledger), str(_cancelled_index(ledger))),
        ("log", str(ledger), "--format", "jsonl"),
    ):
        console.print(f"    {shlex.join((_program(), *command))}", markup=False)


def _program() -> str:
    """Return what to type for this program: its path, when its name alone would not do."""
    called = Path(sys.argv[0])
    return (
        str(called)
        if called.name == "minutebook" and not shutil.which(called.name)
        else "minutebook"
    )


def _cancelled_index(ledger: Path) -> int:
    with LedgerReader(ledger) as reader:
        (entry,) = reader.entries(EntryFilter(types=("plan.cancelled",)), limit=1)
        return entry.log_index
