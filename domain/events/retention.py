"""What the RetentionActor tells."""

from __future__ import annotations

from typing import Literal

from minutebook.domain.event import AuditEvent
from minutebook.domain.events.part import Part

HoldKind = Literal["entries", "plan", "session", "user"]
"""By what a legal hold keeps entries."""


class PrunedType(Part):
    """How many entries of a type went."""

    event_type: str
    """The type."""
    count: int
    """How many of them."""


class AuditPruned(AuditEvent, type="audit.pruned"):
    """RetentionActor: entries were pruned, in the transaction that adds this one.

    Their places, ids, leaf hashes and numbers stay in the table ``pruned``.
    """

    policy: str
    """By which rule they went, in words."""
    requested_by: Literal["policy", "person"]
    """Whether the setting asked for it, or somebody."""
    count: int
    """How many went."""
    first_index: int
    """Index of the first of them."""
    last_index: int
    """Index of the last of them; others between may have stayed."""
    types: tuple[PrunedType, ...]
    """Of which types they were, by name."""
    size_before: int
    """How many entries the log had, pruned ones counted."""
    root_before: str
    """Root of their Merkle tree, in base64."""
    note: str
    """The signed statement over what stays of them: see `minutebook.domain.pruning`."""


class AuditSealed(AuditEvent, type="audit.sealed"):
    """RetentionActor: a range of entries was written to a segment, which verifies on its own."""

    first_index: int
    """Index of the first of them."""
    last_index: int
    """Index of the last of them."""
    file_name: str
    """The segment's."""
    size_bytes: int
    """The segment's."""
    sha256: str
    """Of the segment, in hexadecimal."""
    tree_size: int
    """Of the signed checkpoint that it ends with."""
    root_hash: str
    """Of that checkpoint, in base64."""


class AuditArchived(AuditEvent, type="audit.archived"):
    """RetentionActor: a segment was copied to the archive, read back there, and verified."""

    first_index: int
    """Index of its first entry."""
    last_index: int
    """Index of its last entry."""
    path: str
    """Where the copy is."""
    sha256: str
    """Of the copy, in hexadecimal."""


class HoldPlaced(AuditEvent, type="hold.placed"):
    """RetentionActor: entries are not to be pruned until the hold is lifted."""

    hold_id: str
    """Id of the hold."""
    kind: HoldKind
    """By what they are kept."""
    value: str
    """The plan, session or user; of entries, the first and the last index: ``17-42``."""
    reason: str
    """Why, in words."""


class HoldLifted(AuditEvent, type="hold.lifted"):
    """RetentionActor: a hold keeps nothing any more."""

    hold_id: str
    """Id of the hold."""
    kind: HoldKind
    """As it was placed."""
    value: str
    """As it was placed."""
    reason: str
    """Why, in words."""


class SubjectForgotten(AuditEvent, type="subject.forgotten"):
    """RetentionActor: the keys of a person's fields were destroyed, so that nobody reads them."""

    subject: str
    """Who, as a keyed fingerprint."""
    keys_destroyed: int
    """How many keys there were: one, unless the subject was forgotten before and came back."""
