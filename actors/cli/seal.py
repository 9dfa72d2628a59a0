"""``minutebook seal`` and ``minutebook archive``: segments of a ledger, which verify alone."""

from __future__ import annotations

from typing import Annotated

import typer

from minutebook.actors.cli.deed import Identity, Ledger, absolute, doing
from minutebook.actors.cli.text import visible
from minutebook.actors.retention.sealing import ENTRIES_A_SEGMENT, archive, seal
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.state.retention import Segment

_Entries = Annotated[
    int,
    typer.Option(
        metavar="N", min=1, help="Most entries of a segment, where the log has signed that often."
    ),
]


def seal_command(
    ledger: Ledger, identity: Identity = None, entries: _Entries = ENTRIES_A_SEGMENT
) -> None:
    """Write all entries that are in no segment yet to compressed files, which verify alone.

    They go to LEDGER.segments/, each up to a signed checkpoint; `minutebook verify` takes them.
    """
    with doing(ledger, identity) as deed:
        segments = seal(deed.clerk, entries_max=entries)
    _print(segments, "sealed")


def archive_command(
    ledger: Ledger,
    directory: Annotated[
        str | None,
        typer.Argument(
            metavar="DIRECTORY",
            help="Where copies go; that of the setting archive_directory when not given.",
        ),
    ] = None,
    identity: Identity = None,
    entries: _Entries = ENTRIES_A_SEGMENT,
) -> None:
    """Seal, and copy each segment that is in no archive yet; each copy is read and verified."""
    with doing(ledger, identity) as deed:
        target = deed.settings.archive_directory if directory is None else absolute(directory)
        if target is None:
            msg = "no directory is given, and none is set; give one, or set archive_directory."
            raise InvalidCommand(msg)
        segments = archive(deed.clerk, target, entries_max=entries)
    _print(segments, "archived")


def _print(segments: tuple[Segment, ...], done: str) -> None:
    for segment in segments:
        place = segment.archived_to or segment.path
        print(f"{visible(place)}: entries {segment.first_index} to {segment.last_index} {done}.")
    if not segments:
        print(f"nothing is left to be {done}.")
