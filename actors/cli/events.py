"""``minutebook events``: what each type of event means."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from minutebook.actors.cli.log import end_quietly_with_the_pipe
from minutebook.domain.errors import InvalidCommand
from minutebook.domain.event import registered_types


def events(
    module: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE",
            help="Describe the events that this Python module declares, instead of those that"
            " Minutebook tells; it is imported. Give it again for more modules.",
        ),
    ] = None,
) -> None:
    """Describe every type of event, as a page of Markdown: who tells it, when, its fields."""
    end_quietly_with_the_pipe()
    # Brings pydantic's schemas of the whole catalogue along; only who asks waits for them.
    from minutebook.actors.cli.event_docs import events_page

    wanted = tuple(module or ("minutebook.domain.events",))
    # As `python -m` has it; an installed program's path has no place for the user's own modules.
    sys.path.insert(0, str(Path.cwd()))
    for name in wanted:
        try:
            importlib.import_module(name)
        except ImportError as error:
            msg = (
                f"module {name!r} cannot be imported: {error}; install it, or go to its directory."
            )
            raise InvalidCommand(msg) from error
    if module is None:
        wanted = ("minutebook",)
    classes = [
        cls
        for cls in registered_types().values()
        if cls.__module__.startswith(tuple(f"{name}." for name in wanted))
        or cls.__module__ in wanted
    ]
    if not classes:
        msg = f"{', '.join(wanted)} declares no events; name the module that has the classes."
        raise InvalidCommand(msg)
    print(events_page(classes), end="")
