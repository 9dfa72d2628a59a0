"""What may be asked of the RetentionActor."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minutebook.domain.commands.base import Command, Name
from minutebook.domain.events.retention import HoldKind


class PlaceHold(Command):
    """Keep entries from being pruned; answered with the `Hold`."""

    kind: HoldKind
    value: Name
    reason: Name


class LiftHold(Command):
    """End a hold; answered with the `Hold` that there was."""

    hold_id: Name
    reason: Name


class ListHolds(Command):
    """Answered with a tuple of `Hold`, oldest first."""

    audited = False


class SealEntries(Command):
    """Write what is in no segment yet to segments; answered with a tuple of `Segment`."""


class ArchiveEntries(Command):
    """Seal, and copy what is in no archive yet; answered with a tuple of `Segment`."""

    directory: Name


class PruneEntries(Command):
    """Remove the entries that meet all that is said; answered with a `PruneResult`."""

    older_than_days: Annotated[float, Field(ge=0)] | None = None
    keep: Annotated[int, Field(ge=0)] | None = None
    types: tuple[Name, ...] = ()
    archived_only: bool = False


class ApplyRetention(Command):
    """Do a part of what the settings say; answered with a `PruneResult`."""


class ForgetSubject(Command):
    """Destroy the keys of somebody's personal fields; answered with the `ForgottenSubject`."""

    subject: Name
