"""``minutebook prove`` and ``minutebook check``: proofs, and whether they hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from minutebook.actors.cli.text import visible
from minutebook.actors.ledger.ed25519 import verify_signature
from minutebook.actors.ledger.proving import Prover
from minutebook.domain.entry import Record, of_leaf_input
from minutebook.domain.errors import InvalidNote, ProofRefused
from minutebook.domain.log_proof import HEADER, EntryProof, GrowthProof
from minutebook.domain.note import Note, VerifierKey
from minutebook.domain.proof_check import check_entry, check_growth

EXIT_REFUSED: Final = 1


def prove(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger file.")],
    id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="An entry: its id, the beginning of it, or its index."),
    ] = None,
    consistency: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="OLD NEW",
            help="Prove in the place of an entry that the checkpoint of NEW entries begins with all"
            " that the log had at OLD.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where the proof goes, - for standard output; ID.tlog-proof when not given.",
        ),
    ] = None,
) -> None:
    """Write a proof that an entry is in the log, which anybody can check who has its public key."""
    if (id is None) == (consistency is None):
        msg = "give an entry, or --consistency OLD NEW."
        raise typer.BadParameter(msg)
    with Prover(Path(ledger)) as prover:
        if id is not None:
            proof = prover.entry(id)
            text = proof.as_text()
            name = f"{_id_of(proof)}.tlog-proof"
        else:
            assert consistency is not None
            old, new = consistency
            text = prover.growth(old, new).as_text()
            name = f"{old}-{new}.consistency-proof"
    if output == "-":
        sys.stdout.write(text)
        return
    path = Path(output or name)
    path.write_text(text, encoding="utf-8")
    print(f"{visible(str(path))} written.")


def check(
    proof: Annotated[str, typer.Argument(metavar="PROOF", help="What minutebook prove wrote.")],
    vkey: Annotated[
        list[str],
        typer.Option(
            metavar="KEY",
            help="The log's public key, from a source that you trust. Give it again for more.",
        ),
    ],
    old: Annotated[
        str | None,
        typer.Option(
            metavar="CHECKPOINT", help="For a consistency proof: a file with the older checkpoint."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Check a proof, with the file and the log's public key alone.

    Exits with 0 when it holds, with 1 when it does not.
    """
    text = _read(proof)
    keys = [VerifierKey.of_text(each) for each in vkey]
    try:
        if text.startswith(HEADER):
            shown = _checked_entry(EntryProof.of_text(text), keys)
        else:
            if old is None:
                msg = "a consistency proof is checked against the older checkpoint: give --old."
                raise typer.BadParameter(msg)
            growth = GrowthProof.of_text(text)
            before, after = check_growth(growth, Note.of_text(_read(old)), keys, verify_signature)
            shown = {"origin": after.origin, "old_size": before.size, "size": after.size}
    except ProofRefused as error:
        print(f"minutebook: {visible(str(error))}", file=sys.stderr)
        raise typer.Exit(EXIT_REFUSED) from error
    if json:
        sys.stdout.buffer.write(orjson.dumps(shown) + b"\n")
        return
    print("ok: the proof holds.")
    for name, value in shown.items():
        print(
            f"{name}: {visible(value if isinstance(value, str) else orjson.dumps(value).decode())}"
        )


def _checked_entry(proof: EntryProof, keys: list[VerifierKey]) -> dict[str, Any]:
    if proof.extra is None:
        msg = "the proof does not say what it proves: it has no line 'extra'; ask for one that has."
        raise InvalidNote(msg)
    checkpoint = check_entry(proof, proof.extra, keys, verify_signature)
    try:
        recorded_at, body = of_leaf_input(proof.extra)
        entry = Record.of(body).row(proof.log_index, recorded_at)
    except (ValueError, KeyError, TypeError) as error:
        msg = "the proof holds, and what it proves is no entry that is known here; upgrade."
        raise InvalidNote(msg) from error
    return {"origin": checkpoint.origin, "size": checkpoint.size, **entry.as_json_object()}


def _id_of(proof: EntryProof) -> str:
    assert proof.extra is not None
    return Record.of(of_leaf_input(proof.extra)[1]).id


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{name}: {error}; give a file that can be read."
        raise InvalidNote(msg) from error
