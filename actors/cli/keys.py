"""``minutebook keys`` and ``minutebook witness``: who signs a log."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from minutebook.actors.cli.text import visible
from minutebook.actors.key_file import load_or_create_key
from minutebook.actors.ledger.opening import resolve_ledger_path
from minutebook.actors.ledger.proving import Prover
from minutebook.actors.ledger.signing import KEY_SUFFIX, SIDE_LOG_SUFFIX, Signing, new_signing
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.witnessing import Witness
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import WitnessRefused
from minutebook.domain.log_key import LogKey
from minutebook.domain.note import VerifierKey
from minutebook.domain.redaction import Redactor

EXIT_REFUSED: Final = 1


def keys(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger file.")],
    rotate: Annotated[
        bool,
        typer.Option(
            "--rotate",
            help="Make a new key, which the present one endorses, and sign with it from here on;"
            " also in processes that have the ledger open.",
        ),
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help=f"The private key's file; LEDGER{KEY_SUFFIX} when not given."
        ),
    ] = None,
    checkpoints: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help=f"The side file; LEDGER{SIDE_LOG_SUFFIX} when not given."
        ),
    ] = None,
) -> None:
    """List the public keys that the log signs with, oldest first; the last one signs now."""
    path = resolve_ledger_path(ledger)
    if rotate:
        _rotate(path, key, checkpoints)
    with Prover(path) as prover:
        for note in prover.notes("key"):
            print(visible(LogKey.of_text(note.text).key.as_text()))


def _rotate(path: Path, key: str | None, checkpoints: str | None) -> None:
    def signing(resolved: Path) -> Signing:
        beside = resolved.with_name
        return new_signing(
            resolved,
            {
                "key_path": key or beside(resolved.name + KEY_SUFFIX),
                "key": None,
                "side_path": checkpoints or beside(resolved.name + SIDE_LOG_SUFFIX),
                "every": 0,
            },
        )

    # It enters nothing, so that no secret needs a fingerprint.
    key_path = path.with_name(path.name + ".app.key")
    encoder = Encoder(Redactor(lambda: load_or_create_key(key_path)))
    book = SqliteLedger(path, encoder, signing=signing)
    try:
        book.rotate_key()
    finally:
        book.close()


def witness(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger file, or a copy.")],
    state: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="What this witness signed last; made with the first signature."
        ),
    ],
    key: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Its private key; FILE.key of --state when not given."),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What a new key signs under, such as a host's name.")
    ] = "minutebook-witness",
    vkey: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="The log's public key. Without it the first time trusts what the ledger says.",
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Append the signed checkpoint to this file too, for verify --checkpoints.",
        ),
    ] = None,
) -> None:
    """Sign a log's newest checkpoint as another party, if the log only grew since the last time.

    Exits with 1, and signs nothing, when it did not.
    """
    party = Witness(Path(state), Path(key or f"{state}.key"), name)
    try:
        note = party.sign(
            resolve_ledger_path(ledger),
            [VerifierKey.of_text(text) for text in vkey or ()],
            time.time,
        )
    except WitnessRefused as error:
        print(f"minutebook: {visible(str(error))}", file=sys.stderr)
        raise typer.Exit(EXIT_REFUSED) from error
    if log is not None:
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(f"{note.as_text()}\n")
    sys.stdout.write(note.as_text())
    print(f"minutebook: the witness's key is {party.vkey.as_text()}", file=sys.stderr)
