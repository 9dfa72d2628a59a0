"""Makes the golden ledger of this version: ``python -m tests.proof.make_golden``.

It is made once for each version of the ledger's format, and never again: it must verify for ever.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.inspection import SCHEMA_VERSION
from minutebook.actors.ledger.proving import Prover
from minutebook.actors.ledger.witnessing import Witness
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.log_key import LogKey
from tests.contract.trail import ROOT

GOLDEN = Path(__file__).parent / "golden"


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as outside, tempfile.TemporaryDirectory() as inside:
        path, made = Path(outside) / "golden.ledger", Path(inside)
        for seed in (1, 2, 3):
            command = [sys.executable, "-m", "tests.proof.living", str(path), str(seed)]
            subprocess.run(command, cwd=ROOT)
        command = [sys.executable, "-m", "minutebook.actors.cli", "keys", str(path), "--rotate"]
        subprocess.run(command, check=True)
        AuditSystem.open(path).close()
        witness = Witness(path.with_name("state"), path.with_name("state.key"), "witness.example/g")
        note = witness.sign(path, (), lambda: 1_700_000_000.0)
        (made / "witness.log").write_text(f"{note.as_text()}\n")
        with Prover(path) as prover:
            (made / "entry.tlog-proof").write_text(prover.entry("7").as_text())
            old, *_ = prover.notes("checkpoint")
            (made / "old.checkpoint").write_text(old.as_text())
            (made / "growth.proof").write_text(
                prover.growth(Checkpoint.of_text(old.text).size).as_text()
            )
            keys = [LogKey.of_text(each.text).key for each in prover.notes("key")]
        vkeys = [*keys, witness.vkey]
        (made / "vkeys").write_text("".join(f"{key.as_text()}\n" for key in vkeys))
        for suffix in ("", ".checkpoints.log"):
            shutil.copy(f"{path}{suffix}", made)
        with tarfile.open(GOLDEN / f"version_{SCHEMA_VERSION}.tar.gz", "x:gz") as archive:
            for each in sorted(made.iterdir()):
                archive.add(each, each.name)


if __name__ == "__main__":
    main()
