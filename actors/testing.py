"""An audit trail in memory, for the tests of hosts."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from minutebook.actors.audit import AuditActor
from minutebook.actors.health import Vitals
from minutebook.actors.inbox import AuditInbox
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.subject_keys import MemoryKeys
from minutebook.actors.starting import start
from minutebook.actors.teller import Teller
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Entry
from minutebook.domain.redaction import KEY_BYTES, Redactor

_TIMEOUT_S = 10.0


class MemoryTrail:
    """A real AuditActor on a strict ledger in memory; ``with MemoryTrail() as trail:``.

    Leaving the block commits what was told, and fails the test when anything has rewritten
    an entry.

    Args:
        service: the ``source`` of events that name none.
    """

    def __init__(self, *, service: str = "app") -> None:
        encoder = Encoder(Redactor(bytes(KEY_BYTES)), service=service, sealer=MemoryKeys())
        self.ledger = MemoryLedger(encoder)
        """Where the entries are."""
        self._ref = start(
            AuditActor,
            self.ledger,
            encoder,
            Vitals(":memory:", "0" * 32),
            source=f"{service}/audit",
        )
        inbox = self._ref.actor_inbox
        assert isinstance(inbox, AuditInbox)
        self.audit = Teller(inbox, encoder)
        """What a system's `audit` is."""

    @property
    def entries(self) -> list[Entry]:
        """All that was told until now, committed."""
        self.audit.flush(timeout=_TIMEOUT_S)
        return list(self.ledger.entries)

    def of(self, *types: str) -> list[Entry]:
        """The entries of some event types."""
        return [entry for entry in self.entries if entry.type in types]

    def close(self) -> None:
        """Commit the rest and stop; raises `LedgerCorrupt` when an entry was rewritten."""
        self._ref.stop(timeout=_TIMEOUT_S)
        self.ledger.verify()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
