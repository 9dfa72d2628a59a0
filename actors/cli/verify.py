"""``minutebook verify``: whether anything in a ledger was changed, removed or forged."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from minutebook.actors.cli.text import visible
from minutebook.actors.ledger.sealed_check import verify_segment
from minutebook.actors.ledger.sealed_files import is_segment
from minutebook.actors.ledger.verifying import checkpoint_of, verify_ledger
from minutebook.domain.errors import MinutebookError
from minutebook.domain.finding import Report
from minutebook.domain.note import VerifierKey

EXIT_FINDINGS: Final = 1
EXIT_COULD_NOT_LOOK: Final = 2


def verify(
    ledger: Annotated[
        str, typer.Argument(metavar="LEDGER", help="The ledger file; or a segment of one.")
    ],
    checkpoints: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="What the log has signed, kept elsewhere: its side file, or a witness's. Without"
            " it LEDGER.checkpoints.log, if it is there. Give it again for more.",
        ),
    ] = None,
    vkey: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="Public key of the log, or of a witness: trust this one. Without it the first that"
            " the side file, or the ledger, announces is trusted. Give it again for more.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="A file with a checkpoint that was verified before: entries below it are not read"
            " again.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Look for anything in a ledger that was edited, deleted, reordered, cut off or forged.

    Exits with 0 when all is well, with 1 when something was found, with 2 when it could not look.
    """
    try:
        keys = [VerifierKey.of_text(text) for text in vkey or ()]
        note = None
        if since is not None:
            note = checkpoint_of(Path(since).read_text(encoding="utf-8"))
        with _progress(shown=not json) as progress:
            if is_segment(Path(ledger)):
                return _say(verify_segment(Path(ledger), keys), json=json)
            report = verify_ledger(
                Path(ledger),
                side_files=None if checkpoints is None else [Path(name) for name in checkpoints],
                keys=keys,
                since=note,
                workers=os.cpu_count() or 1,
                progress=progress,
            )
    except Exception as error:
        # Whatever it is: status 1 would say that something was found.
        said = str(error) if isinstance(error, MinutebookError | OSError) else repr(error)
        print(f"minutebook: {visible(said)}", file=sys.stderr)
        raise typer.Exit(EXIT_COULD_NOT_LOOK) from error
    return _say(report, json=json)


def _say(report: Report, *, json: bool) -> None:
    if json:
        sys.stdout.buffer.write(orjson.dumps(report.as_json_object()) + b"\n")
    else:
        _print(report)
    if report.findings:
        raise typer.Exit(EXIT_FINDINGS)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error, where somebody looks at it."""
    if not shown or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("verifying"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} entries"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("verifying", total=0)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(report: Report) -> None:
    for kind, log_index, detail in report.findings:
        place = "" if log_index is None else f" at entry {log_index}"
        print(f"{kind}{place}: {visible(detail)}")
    if report.findings:
        print(f"failed: {len(report.findings)} findings in {report.entries:,} entries.")
    else:
        signed = (
            f"the first {report.signed_size:,} of them signed"
            if report.signed_size
            else "none of them signed yet"
        )
        pruned = f", {report.pruned:,} more were pruned" if report.pruned else ""
        print(f"ok: {report.entries:,} entries, {signed}{pruned}.")
    for key in report.keys:
        print(f"key: {visible(key)}")
