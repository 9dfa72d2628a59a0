"""Settings of an audit system: by keyword, or from ``MINUTEBOOK_*`` variables."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from minutebook.domain.encoding import PAYLOAD_BYTES_MAX
from minutebook.domain.errors import SettingsError
from minutebook.domain.event import Delivery

logger = logging.getLogger("minutebook.settings")

ENVIRONMENT_PREFIX: Final = "MINUTEBOOK_"


class Settings(BaseModel):
    """What can be set; a keyword of `AuditSystem.open` goes before the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    service: str = Field(default="app", min_length=1, max_length=200)
    """The host's name: the ``source`` of events that name none."""
    delivery: Delivery = "journaled"
    """What events get that ask for nothing else: see `Teller.tell`."""
    overflow: Literal["block", "reject"] = "block"
    """What becomes of a caller when the backlog is full; both end in `AuditBacklogFull`."""
    block_timeout: float = Field(default=5.0, ge=0, le=3600)
    """Seconds that a caller waits for room in the backlog."""
    backlog_max: int = Field(default=100_000, ge=1, le=100_000_000)
    """Most events that are told and not committed."""
    backlog_bytes_max: int = Field(default=256 * 1024 * 1024, ge=8 * 1024 * 1024)
    """Most bytes of journal that are not committed."""
    fail_closed: bool = False
    """Whether the services refuse to do anything while the ledger cannot be written."""
    writer: Literal["thread", "process"] = "thread"
    """Who commits: a thread of this process, or a process of its own, for hosts whose own threads
    are busy."""
    batch_max: int = Field(default=512, ge=1, le=10_000)
    """Most events of one transaction."""
    event_bytes_max: int = Field(default=PAYLOAD_BYTES_MAX, ge=65_536, le=16 * 1024 * 1024)
    """Limit of an event's stored bytes."""
    busy_timeout: float = Field(default=5.0, ge=0, le=3600)
    """Seconds that a commit waits for a foreign connection's write lock before it is retried."""
    close_timeout: float = Field(default=30.0, gt=0, le=86_400)
    """Seconds that leaving the ``with`` block waits for the last commits."""
    exit_timeout: float = Field(default=5.0, ge=0, le=3600)
    """Seconds that the end of the interpreter waits for a system that nobody closed."""
    allow_network_file_system: bool = False
    """Whether a ledger may be on NFS, SMB and the like, used by one machine only."""
    config_path: Path | None = None
    """The TOML file of `system.config`; ``<ledger>.config.toml`` when not given."""
    sandbox_directory: Path | None = None
    """Where sandboxes are made; ``<ledger>.sandboxes`` when not given."""
    lockout_attempts: int = Field(default=5, ge=1, le=1000)
    """Wrong passwords in a row before a user is locked; after a lock, one brings the next."""
    lockout_base: float = Field(default=30.0, gt=0, le=86_400)
    """Seconds of the first lock; each next is twice as long."""
    lockout_cap: float = Field(default=3600.0, gt=0, le=366 * 86_400)
    """Most seconds of a lock."""
    session_lifetime: float | None = Field(default=None, gt=0)
    """Most seconds of a session; ``None`` for as long as each says itself."""
    session_idle: float | None = Field(default=None, gt=0)
    """Most seconds of a session without a use; ``None`` for as long as each says itself."""


class SettingsGiven(TypedDict, total=False):
    """The keywords of `AuditSystem.open`; see `Settings` for each."""

    service: str
    delivery: Delivery
    overflow: Literal["block", "reject"]
    block_timeout: float
    backlog_max: int
    backlog_bytes_max: int
    fail_closed: bool
    writer: Literal["thread", "process"]
    batch_max: int
    event_bytes_max: int
    busy_timeout: float
    close_timeout: float
    exit_timeout: float
    allow_network_file_system: bool
    config_path: str | os.PathLike[str] | None
    sandbox_directory: str | os.PathLike[str] | None
    lockout_attempts: int
    lockout_base: float
    lockout_cap: float
    session_lifetime: float | None
    session_idle: float | None


def load_settings(given: SettingsGiven) -> Settings:
    """Return the settings from keywords and environment.

    Raises:
        SettingsError: naming each setting that is unknown or has no valid value, and where
            it came from.
    """
    # Imported here: pydantic_settings would add half to the time of importing Minutebook.
    from pydantic_settings import BaseSettings, SettingsConfigDict

    class FromEnvironment(Settings, BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=ENVIRONMENT_PREFIX,
            env_ignore_empty=True,
            extra="forbid",
            frozen=True,
            defer_build=False,
        )

    values: dict[str, Any] = dict(given.items())
    # Before pydantic-settings sees them, which takes some names for options of its own.
    unknown = [repr(name) for name in values if name not in Settings.model_fields]
    if unknown:
        known = ", ".join(Settings.model_fields)
        msg = (
            f"settings: there is no setting {', '.join(unknown)} (there are {known})."
            " Correct them and open again; nothing was opened."
        )
        raise SettingsError(msg)
    _warn_of_unknown_variables()
    try:
        settings = FromEnvironment(**values)
    except ValidationError as error:
        raise SettingsError(_explained(error, values)) from None
    return Settings(**settings.model_dump())


def _warn_of_unknown_variables() -> None:
    # Not an error: a newer or older release of the host may share the environment.
    known = {ENVIRONMENT_PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith(ENVIRONMENT_PREFIX) and name.upper() not in known:
            logger.warning("%s is no setting of this Minutebook; it is ignored", name)


def _explained(error: ValidationError, given: dict[str, Any]) -> str:
    problems = []
    for detail in error.errors(include_url=False, include_input=False):
        name = ".".join(map(str, detail["loc"]))
        origin = name if name in given else ENVIRONMENT_PREFIX + name.upper()
        problems.append(f"{origin}: {detail['msg']}")
    return f"settings: {'; '.join(problems)}. Correct them and open again; nothing was opened."
