"""An honest ledger of 10,000 entries, made once; each test has a copy of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.proving import Prover
from minutebook.actors.ledger.witnessing import Witness
from minutebook.domain import AuditEvent
from minutebook.domain.log_key import LogKey
from minutebook.domain.note import VerifierKey

ENTRIES = 10_000
CHECKPOINT_EVERY = 1000
WAIT_S = 60.0


class Noted(AuditEvent, type="proof_test.noted"):
    """One of many."""

    number: int


class Log(NamedTuple):
    """A ledger with its side files, and who witnesses it."""

    path: Path
    """The ledger."""
    side: Path
    """What it has signed."""
    key: Path
    """Its private key."""
    witnessed: Path
    """What a witness has signed, half-way and in the end."""
    vkey: VerifierKey
    """Its public key."""
    witness: VerifierKey
    """That of the witness."""

    def copied(self, directory: Path) -> Log:
        shutil.copytree(self.path.parent, directory, dirs_exist_ok=True)
        moved = {
            name: directory / getattr(self, name).name
            for name in ("path", "side", "key", "witnessed")
        }
        return self._replace(**moved)


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Two systems write it in turns; it has a key announcement and about twelve checkpoints."""
    path = tmp_path_factory.mktemp("honest") / "audit.db"
    outside = tmp_path_factory.mktemp("witness")
    party = Witness(outside / "state", outside / "state.key", "witness.example/w")
    cosigned = []
    with (
        AuditSystem.open(path, checkpoint_every=CHECKPOINT_EVERY) as one,
        AuditSystem.open(path, checkpoint_every=CHECKPOINT_EVERY) as other,
    ):
        for number in range(0, ENTRIES, 50):
            system = one if number // 50 % 2 else other
            for each in range(number, number + 50):
                system.audit.tell(Noted(number=each, user_identity=f"user {each % 7}"))
            if number == ENTRIES // 2:
                one.flush(timeout=WAIT_S)
                other.flush(timeout=WAIT_S)
                cosigned.append(party.sign(path, (), lambda: 1_700_000_000.0))
    cosigned.append(party.sign(path, (), lambda: 1_700_000_001.0))
    witnessed = path.with_name("witness.log")
    witnessed.write_text("".join(f"{note.as_text()}\n" for note in cosigned))
    with Prover(path) as prover:
        (announced,) = prover.notes("key")
    beside = path.with_name
    return Log(
        path,
        beside("audit.db.checkpoints.log"),
        beside("audit.db.signing.key"),
        witnessed,
        LogKey.of_text(announced.text).key,
        party.vkey,
    )


@pytest.fixture
def log(honest: Log, tmp_path: Path) -> Log:
    return honest.copied(tmp_path / "log")
