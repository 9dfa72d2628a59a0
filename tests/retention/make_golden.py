"""Makes the golden archive of this version: ``python -m tests.retention.make_golden``.

A ledger that was pruned, with a segment of it, and keys of personal fields. It is made once for
each version of the ledger's format, and never again: it must verify, and be read, for ever.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.inspection import SCHEMA_VERSION
from minutebook.actors.ledger.proving import Prover
from minutebook.domain.log_key import LogKey
from tests.retention.conftest import WAIT_S, Moved, fill

GOLDEN = Path(__file__).parent / "golden"

ADDRESS = "Elm Street 5"


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as outside, tempfile.TemporaryDirectory() as inside:
        path, made = Path(outside) / "golden.ledger", Path(inside)
        fill(path, 300, checkpoint_every=50)
        with AuditSystem.open(path) as system:
            for customer in ("kept", "forgotten"):
                system.audit.tell(Moved(customer=customer, address=ADDRESS))
            system.flush(timeout=WAIT_S)
            retention = system.retention
            retention.hold("entries", "10-12", reason="a case").get(timeout=WAIT_S)
            (segment,) = retention.archive(made).get(timeout=WAIT_S)
            retention.prune(keep=200, types=["*.seen"]).get(timeout=WAIT_S)
            retention.forget("forgotten").get(timeout=WAIT_S)
        assert segment.archived_to is not None
        Path(segment.archived_to).rename(made / "golden.segment")
        with Prover(path) as prover:
            (key,) = (LogKey.of_text(each.text).key for each in prover.notes("key"))
        (made / "vkey").write_text(f"{key.as_text()}\n")
        for suffix in ("", ".checkpoints.log", ".subject.keys"):
            shutil.copy(f"{path}{suffix}", made)
        with tarfile.open(GOLDEN / f"version_{SCHEMA_VERSION}.tar.gz", "x:gz") as archive:
            for each in sorted(made.iterdir()):
                archive.add(each, each.name)


if __name__ == "__main__":
    main()
