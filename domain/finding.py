"""What a verifier may find in a ledger, and what it says in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

FindingKind = Literal[
    "edited",
    "deleted",
    "reordered",
    "truncated",
    "forked",
    "sequence_gap",
    "unknown_key",
    "bad_signature",
    "schema_drift",
    "unrecovered_journal",
]
"""What is wrong."""


class Finding(NamedTuple):
    """One thing that is wrong."""

    kind: FindingKind
    """What."""
    log_index: int | None
    """The first entry that it is about; ``None`` when it is about no entry."""
    detail: str
    """In words."""


class Report(NamedTuple):
    """What a verifier says."""

    entries: int
    """How many entries the ledger has."""
    findings: tuple[Finding, ...]
    """All that is wrong, by entry."""
    signed_size: int = 0
    """How many entries the newest checkpoint covers that holds."""
    keys: tuple[str, ...] = ()
    """The vkeys that were trusted, and those that they endorse."""
    pruned: int = 0
    """How many entries it had besides, which were pruned as they should be."""

    @property
    def verdict(self) -> Literal["ok", "failed"]:
        """``ok`` only when nothing is wrong."""
        return "failed" if self.findings else "ok"

    def as_json_object(self) -> dict[str, Any]:
        """Return what ``verify --json`` prints."""
        return {
            "verdict": self.verdict,
            "entries": self.entries,
            **({"pruned": self.pruned} if self.pruned else {}),
            "findings": [finding._asdict() for finding in self.findings],
        }


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings by entry, each once; those about no entry last."""
    unique = dict.fromkeys(findings)
    return tuple(
        sorted(unique, key=lambda finding: (finding.log_index is None, finding.log_index or 0))
    )
