"""The options that all benchmarks share."""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers


@dataclass(frozen=True)
class Options:
    """What a run was told."""

    quick: bool
    repeat: int
    peers: tuple[str, ...]
    json: str | None
    directory: Path | None
    arguments: argparse.Namespace


def parse(
    argv: Sequence[str] | None,
    name: str,
    doc: str | None,
    *,
    repeat: int = 5,
    default_peers: Sequence[str] = (),
    add: Sequence[tuple[str, dict[str, object]]] = (),
) -> Options:
    """Read the command line of a benchmark.

    Args:
        argv: what comes behind the name; that of the process when not given.
        name: of the benchmark.
        doc: its module's docstring.
        repeat: the default.
        default_peers: all when not given.
        add: further options, with the keywords of `add_argument`.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks {name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="few calls, to see that it runs")
    parser.add_argument(
        "--repeat", type=int, help=f"rounds, in which the peers take turns (default: {repeat})"
    )
    parser.add_argument(
        "--peers", metavar="A,B", help=f"only these, of: {', '.join(peers.names())}"
    )
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write the figures there; without FILE to standard output, instead of the table",
    )
    parser.add_argument(
        "--directory", type=Path, help="where the peers record (default: the temporary directory)"
    )
    for option, keywords in add:
        parser.add_argument(option, **keywords)  # type: ignore[arg-type]
    arguments = parser.parse_args(argv)
    chosen = list(default_peers) or peers.names()
    if arguments.peers is not None:
        chosen = [one.strip() for one in arguments.peers.split(",")]
        unknown = sorted(set(chosen) - set(peers.names()))
        if unknown:
            parser.error(f"no such peer: {', '.join(unknown)}; there are {peers.names()}")
    rounds = arguments.repeat or (1 if arguments.quick else repeat)
    if rounds < 1:
        parser.error("--repeat: give 1 or more")
    return Options(
        arguments.quick, rounds, tuple(chosen), arguments.json, arguments.directory, arguments
    )


@contextmanager
def scratch(options: Options) -> Iterator[Path]:
    """Have a directory for a run, on the disk that is to be measured."""
    with tempfile.TemporaryDirectory(
        dir=options.directory, prefix="minutebook-bench-", ignore_cleanup_errors=True
    ) as directory:
        # Who is benchmarked shares nothing with the host's settings.
        for name in [name for name in os.environ if name.startswith("MINUTEBOOK_")]:
            del os.environ[name]
        yield Path(directory)
