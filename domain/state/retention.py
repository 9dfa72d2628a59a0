"""What the RetentionActor answers with."""

from __future__ import annotations

from pydantic import AwareDatetime

from minutebook.domain.events.retention import HoldKind
from minutebook.domain.state.base import State


class Hold(State):
    """A legal hold: what keeps entries from being pruned."""

    hold_id: str
    """Its id."""
    kind: HoldKind
    """By what it keeps entries."""
    value: str
    """The plan, session or user; of entries, the first and the last index: ``17-42``."""
    reason: str
    """Why, in words."""
    placed_at: AwareDatetime
    """UTC."""
    placed_by: str | None
    """Who placed it."""


class PruneResult(State):
    """What a pruning did."""

    pruned: int = 0
    """How many entries went."""
    held: int = 0
    """How many stayed because of a legal hold."""
    unarchived: int = 0
    """How many stayed because they are in no archive yet."""
    chunks: int = 0
    """In how many transactions."""
    longest_hold_s: float = 0.0
    """Seconds of the longest of them: nobody else could write meanwhile."""
    finished: bool = True
    """Whether all that matched was looked at."""


class Segment(State):
    """A file with a sealed range of entries, which verifies on its own."""

    path: str
    """Where it is."""
    first_index: int
    """Index of its first entry."""
    last_index: int
    """Index of its last entry."""
    sha256: str
    """Of the file, in hexadecimal."""
    archived_to: str | None = None
    """Where its copy in the archive is."""


class ForgottenSubject(State):
    """A person whose fields nobody can read any more."""

    subject: str
    """Who, as a keyed fingerprint."""
    keys_destroyed: int
    """How many keys there were."""
