"""``minutebook doctor``: what a crash left, found and released."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from minutebook.actors.cli.records import document
from minutebook.actors.cli.text import visible
from minutebook.actors.doctoring.examine import examine
from minutebook.actors.doctoring.findings import Finding
from minutebook.actors.doctoring.treat import treat
from minutebook.actors.parts import side_file
from minutebook.actors.settings import load_settings
from minutebook.domain.surrogates import escape

EXIT_FOUND: Final = 1
"""Something was found, and is still there."""

_WORDS: Final = {
    "orphan_worktree": "worktree without a plan",
    "orphan_directory": "directory without a plan",
    "orphan_branch": "branch without a plan",
    "stray_process": "process of a dead host",
    "stuck_plan": "plan that is stuck",
    "unended_cancellation": "cancellation without an end",
}

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(epilog="Example: minutebook doctor audit.db --fix")
def doctor(
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger file.")],
    fix: Annotated[
        bool, typer.Option("--fix", help="Release what is found; without it, nothing is changed.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON, for programs.")] = False,
    sandboxes: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the host makes sandboxes; its setting, or <ledger>.sandboxes, when not"
            " given.",
        ),
    ] = None,
) -> int:
    """Find what a crash left of plans, one line each, and release it with --fix.

    Worktrees, directories and branches without a plan, processes of dead hosts, plans that are
    stuck since, cancellations without an end. What a living process has is never touched, nor
    is anything that is not proven to be this ledger's. What --fix does is recorded.

    The exit status is 0 when nothing is left, 1 when something is, 2 when it cannot be told.
    """
    path = ledger.expanduser().resolve()
    directory = sandboxes or load_settings({}).sandbox_directory
    directory = side_file(path, ".sandboxes") if directory is None else directory.resolve()
    if not fix:
        found = examine(path, directory)
        _answer([(finding, "found") for finding in found], as_json=json)
        return EXIT_FOUND if found else 0
    treated = treat(path, directory, getpass.getuser())
    _answer(
        [(each.finding, "released" if each.is_gone else "left") for each in treated],
        as_json=json,
    )
    return 0 if all(each.is_gone for each in treated) else EXIT_FOUND


def _answer(findings: Sequence[tuple[Finding, str]], *, as_json: bool) -> None:
    if as_json:
        records = [
            # A path that is not UTF-8 has lone surrogates.
            {**asdict(finding), "id": escape(finding.id), "state": state}
            for finding, state in findings
        ]
        sys.stdout.buffer.write(document(records) + b"\n")
        return
    if not findings:
        print("nothing is left of any crash")
    for finding, state in findings:
        words = _WORDS[finding.ailment]
        print(visible(f"{state}: {words}: {finding.id}: {finding.what}"))
