"""``minutebook forget``: nobody can read somebody's personal fields any more."""

from __future__ import annotations

from typing import Annotated

import typer

from minutebook.actors.cli.deed import Identity, Ledger, counted, doing
from minutebook.actors.ledger.subject_keys import KEYS_SUFFIX, SubjectKeys
from minutebook.actors.retention.forgetting import forget


def forget_command(
    ledger: Ledger,
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="Who, as the events say it: case counts.")
    ],
    identity: Identity = None,
) -> None:
    """Destroy the keys of somebody's personal fields; the ledger still verifies.

    That it was done is recorded, with a fingerprint instead of the name.
    """
    from minutebook.actors.parts import side_file

    with doing(ledger, identity) as deed:
        path = side_file(deed.clerk.ledger.path, KEYS_SUFFIX)
        keys = SubjectKeys(path, deed.redactor.fingerprint)
        done = forget(deed.clerk, keys, deed.redactor, subject)
    if done.keys_destroyed:
        destroyed = counted(done.keys_destroyed, "key was", "keys were")
        print(f"{destroyed} destroyed, of {done.subject}.")
    else:
        print(f"{done.subject} was forgotten before.")
