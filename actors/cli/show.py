"""``minutebook show``: everything of one entry."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from minutebook.actors.cli.detail import print_detail
from minutebook.actors.cli.log import end_quietly_with_the_pipe
from minutebook.actors.cli.records import json_document
from minutebook.actors.ledger.reader import LedgerReader


class ShowFormat(StrEnum):
    """How an entry is written."""

    TEXT = "text"
    JSON = "json"


def show(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger file.")],
    entry: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The entry's id, at least the first 8 characters of it, or its index.",
        ),
    ],
    format: Annotated[
        ShowFormat, typer.Option(help="text for reading, json for programs.")
    ] = ShowFormat.TEXT,
) -> None:
    """Show one entry of a ledger, with its whole payload.

    As text, personal fields are in clear where their keys are beside the ledger; JSON has them as
    they are stored.
    """
    end_quietly_with_the_pipe()
    with LedgerReader(ledger) as reader:
        found = reader.get(entry)
        payload = reader.revealed(found)
    if format is ShowFormat.JSON:
        sys.stdout.buffer.write(json_document(found) + b"\n")
    else:
        print_detail(found, payload=payload)
