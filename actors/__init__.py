"""Everything of the audit trail that runs: the system, its actors, its ledgers."""

from __future__ import annotations

if __name__ != "minutebook.actors":
    # A second copy under the bare name would hold other classes and another registry.
    raise ImportError(
        f"imported as {__name__!r}: this folder is the package minutebook.actors; "
        "run `make install`, then `import minutebook.actors`"
    )

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minutebook.actors.health import Health
    from minutebook.actors.holding import Holder
    from minutebook.actors.ledger.reader import LedgerReader
    from minutebook.actors.signals import close_on_signals
    from minutebook.actors.system import AuditSystem

__all__ = ["AuditSystem", "Health", "Holder", "LedgerReader", "close_on_signals"]

_HOMES = {
    "AuditSystem": "minutebook.actors.system",
    "Health": "minutebook.actors.health",
    "Holder": "minutebook.actors.holding",
    "LedgerReader": "minutebook.actors.ledger.reader",
    "close_on_signals": "minutebook.actors.signals",
}


def __getattr__(name: str) -> Any:
    # On first use (PEP 562), so that reading a ledger does not load the actors.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
