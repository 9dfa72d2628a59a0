"""The program ``minutebook``: its commands, and what is said when something is wrong.

Whatever goes wrong is one line on standard error, without a traceback. The exit status is
2 when the request cannot be met as it is, 1 when it may be met later, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated, Any, Final, cast

import orjson
import typer

from minutebook.actors.cli.events import events
from minutebook.actors.cli.forget import forget_command
from minutebook.actors.cli.hold import hold
from minutebook.actors.cli.keys import keys, witness
from minutebook.actors.cli.log import log
from minutebook.actors.cli.prove import check, prove
from minutebook.actors.cli.prune import prune
from minutebook.actors.cli.seal import archive_command, seal_command
from minutebook.actors.cli.show import show
from minutebook.actors.cli.stats import stats
from minutebook.actors.cli.text import visible
from minutebook.actors.cli.verify import verify
from minutebook.actors.version import UNKNOWN, installed_version
from minutebook.domain.errors import LedgerUnavailable, MinutebookError

EXIT_FAILED: Final = 1
EXIT_REFUSED: Final = 2
EXIT_INTERRUPTED: Final = 130

# What typer raises for a wrong option or argument. The class has moved from click into
# typer itself; its subclass BadParameter is public in every version.
_UsageProblem = cast("type[Exception]", typer.BadParameter.__mro__[2])

app = typer.Typer(
    name="minutebook",
    help="A lossless, append-only audit trail: run the demo, list a ledger, look at an entry.",
    epilog="Example: minutebook log audit.db --since 2h",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("log", epilog="Example: minutebook log audit.db --type 'plan.*' --since 2h")(log)
app.command("show", epilog="Example: minutebook show audit.db 17")(show)
app.command("stats", epilog="Example: minutebook stats audit.db --json")(stats)
app.command("events", epilog="Example: minutebook events --module shop.events > events.md")(events)
app.command("verify", epilog="Example: minutebook verify audit.db --json")(verify)
app.command("prove", epilog="Example: minutebook prove audit.db 17 -o 17.tlog-proof")(prove)
app.command("check", epilog="Example: minutebook check 17.tlog-proof --vkey KEY")(check)
app.command("keys", epilog="Example: minutebook keys audit.db --rotate")(keys)
app.command("witness", epilog="Example: minutebook witness audit.db --state audit.witness")(witness)
app.command("seal", epilog="Example: minutebook seal audit.db")(seal_command)
app.command("archive", epilog="Example: minutebook archive audit.db /mnt/archive")(archive_command)
app.command("prune", epilog="Example: minutebook prune audit.db --older-than 90d")(prune)
app.command("hold", epilog="Example: minutebook hold audit.db add --user bob --reason 'case 7'")(
    hold
)
app.command("forget", epilog="Example: minutebook forget audit.db customer-4711")(forget_command)


# These bring along the whole system; only who asks for one waits for its import.
_PASSED_ON: Final = {
    "allow_extra_args": True,
    "allow_interspersed_args": False,
    "ignore_unknown_options": True,
}


@app.command("demo", add_help_option=False, context_settings=_PASSED_ON)
def demo(context: typer.Context) -> None:
    """Take a real git repository through the main job, and show the trail that it leaves."""
    from minutebook.actors.cli.demo import app as demo_app
    from minutebook.actors.cli.demo_cancel import cancel

    demo_app.command("cancel", epilog="Example: minutebook demo cancel --ledger /tmp/trail.db")(
        cancel
    )

    _pass_on(context, demo_app)


@app.command("app", add_help_option=False, context_settings=_PASSED_ON)
def use(context: typer.Context) -> None:
    """Use the services: sessions, users, tokens, settings, plans, without writing code."""
    from minutebook.actors.cli.app.main import app as services_app

    _pass_on(context, services_app)


@app.command("doctor", add_help_option=False, context_settings=_PASSED_ON)
def doctor(context: typer.Context) -> None:
    """Find what a crash left of plans: sandboxes, processes, cancellations; release it."""
    from minutebook.actors.cli.doctor import app as doctor_app

    _pass_on(context, doctor_app)


def _pass_on(context: typer.Context, to: typer.Typer) -> None:
    name = f"minutebook {context.info_name}"
    status = to(args=context.args, prog_name=name, standalone_mode=False)
    if isinstance(status, int):
        raise typer.Exit(status)


def _print_version(wanted: bool) -> None:
    if wanted:
        found = installed_version()
        unknown = "(not installed: run from its source)"
        print(f"minutebook {unknown if found == UNKNOWN else found}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the program with the arguments of this process, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the program with these arguments; return the exit status."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Where the locale has no such character, its escape is better than no output.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(args=list(arguments), prog_name="minutebook", standalone_mode=False)
        sys.stdout.flush()
    except _UsageProblem as problem:
        return _refuse_usage(problem)
    except MinutebookError as error:
        _complain(str(error))
        return EXIT_FAILED if isinstance(error, LedgerUnavailable) else EXIT_REFUSED
    except orjson.JSONDecodeError:
        _complain("the stored bytes of an entry are no JSON: the ledger was edited or is damaged.")
        return EXIT_REFUSED
    except (KeyboardInterrupt, typer.Abort):
        status = EXIT_INTERRUPTED
    except OSError as error:
        # Standard output on a full disk, most likely.
        _drop_output()
        _complain(f"{error.strerror or error}.")
        return EXIT_FAILED
    if status == EXIT_INTERRUPTED:
        _drop_output()
    return status if isinstance(status, int) else 0


def _refuse_usage(problem: Any) -> int:
    if type(problem).__name__ == "NoArgsIsHelpError":
        # The help itself is on the screen already, unless rich did not write it.
        if help_text := problem.format_message():
            print(help_text)
        return EXIT_REFUSED
    context = problem.ctx if hasattr(problem, "ctx") else None
    command = context.command_path if context is not None else "minutebook"
    message = " ".join(problem.format_message().split()).rstrip(".")
    _complain(f"{message}; see {command} --help.")
    return EXIT_REFUSED


def _drop_output() -> None:
    # What is still buffered must not be written, or waited for, when the interpreter exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    print(f"minutebook: {visible(message)}", file=sys.stderr)
