"""Settings of an audit system: by keyword, from ``MINUTEBOOK_*`` variables, or from TOML."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypedDict

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from minutebook.actors.config_document import ConfigDocument
from minutebook.actors.config_file import ConfigFile
from minutebook.actors.inbox import BATCH_MAX
from minutebook.actors.ledger.signing import CHECKPOINT_EVERY
from minutebook.domain.encoding import PAYLOAD_BYTES_MAX
from minutebook.domain.errors import ConfigError, SettingsError
from minutebook.domain.event import Delivery
from minutebook.domain.note import SecretKey

logger = logging.getLogger("minutebook.settings")

ENVIRONMENT_PREFIX: Final = "MINUTEBOOK_"

FILE_VARIABLE: Final = "MINUTEBOOK_SETTINGS_FILE"
"""Names the TOML file, where no keyword does."""

_PATHS: Final = (
    "config_path",
    "sandbox_directory",
    "checkpoints_path",
    "signing_key_path",
    "archive_directory",
)
"""Taken from the file's directory, where a file gives them relative."""


class Settings(BaseModel):
    """What can be set: a keyword of `AuditSystem.open` goes before the environment, and that
    before the settings file."""

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
    batch_max: int = Field(default=BATCH_MAX, ge=1, le=10_000)
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
    checkpoint_every: int = Field(default=CHECKPOINT_EVERY, ge=0, le=1_000_000_000)
    """Entries after which the log's head is signed; 0 for any number."""
    checkpoint_interval: float = Field(default=60.0, ge=0, le=86_400)
    """Seconds after which it is signed when anything was added; 0 for any time."""
    checkpoints_path: Path | None = None
    """The side file of what is signed, best on another disk; ``<ledger>.checkpoints.log`` when not
    given."""
    signing_key_path: Path | None = None
    """The file of the key that signs; ``<ledger>.signing.key`` when not given."""
    signing_key: SecretStr | None = None
    """That key itself, in the place of a file."""
    config_path: Path | None = None
    """The TOML file of `system.config`; ``<ledger>.config.toml`` when not given."""
    config_env_prefix: str | None = Field(default=None, min_length=1, max_length=200)
    """What the names of variables begin with that set something in `system.config`; with
    ``SHOP_``, ``SHOP_MODEL__NAME`` sets ``model.name``. None do when not given."""
    sandbox_directory: Path | None = None
    """Where sandboxes are made; ``<ledger>.sandboxes`` when not given."""
    cancel_deadline: float = Field(default=10.0, gt=0, le=3600)
    """Seconds that a cancellation waits for the holders of what the plan holds."""
    sandbox_bytes_max: int | None = Field(default=None, ge=1)
    """Most bytes that the sandboxes of a plan may have, where an execution gives no limit."""
    sandbox_files_max: int | None = Field(default=None, ge=1)
    """Most files that the sandboxes of a plan may have, where an execution gives no limit."""
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
    retention_days: float | None = Field(default=None, ge=0)
    """Days after which entries are pruned; ``None`` for never."""
    retention_count: int | None = Field(default=None, ge=0)
    """How many of the newest entries are kept, however old the others are; ``None`` for all."""
    retention_types: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Days for event types, or patterns such as ``plan.*``, that have their own."""
    retention_interval: float = Field(default=3600.0, gt=0, le=366 * 86_400)
    """Seconds between two times that this is done."""
    archive_directory: Path | None = None
    """Where sealed segments are copied to, in the same interval; nothing is when not given."""
    archive_before_prune: bool = False
    """Whether only what is in an archive may be pruned, whoever took it there."""

    @field_validator("signing_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            # Else nothing would be signed, and only the log would say so.
            SecretKey.of_text(key.get_secret_value())
        return key


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
    checkpoint_every: int
    checkpoint_interval: float
    checkpoints_path: str | os.PathLike[str] | None
    signing_key_path: str | os.PathLike[str] | None
    signing_key: str | SecretStr | None
    config_path: str | os.PathLike[str] | None
    config_env_prefix: str | None
    sandbox_directory: str | os.PathLike[str] | None
    cancel_deadline: float
    sandbox_bytes_max: int | None
    sandbox_files_max: int | None
    lockout_attempts: int
    lockout_base: float
    lockout_cap: float
    session_lifetime: float | None
    session_idle: float | None
    retention_days: float | None
    retention_count: int | None
    retention_types: dict[str, float]
    retention_interval: float
    archive_directory: str | os.PathLike[str] | None
    archive_before_prune: bool


def load_settings(
    given: SettingsGiven, settings_file: str | os.PathLike[str] | None = None
) -> Settings:
    """Return the settings from keywords, environment and file.

    Args:
        given: the keywords.
        settings_file: a TOML file; of a ``pyproject.toml``, the table ``[tool.minutebook]``
            counts. The one that ``MINUTEBOOK_SETTINGS_FILE`` names, when not given.

    Raises:
        SettingsError: naming each setting that is unknown or has no valid value, and where
            it came from; or the file cannot be read.
    """
    # Imported here: pydantic_settings would add half to the time of importing Minutebook.
    from pydantic_settings import (
        BaseSettings,
        InitSettingsSource,
        PydanticBaseSettingsSource,
        SettingsConfigDict,
    )

    values: dict[str, Any] = dict(given.items())
    # Before pydantic-settings sees them, which takes some names for options of its own.
    _refuse_unknown({name: repr(name) for name in values})
    file = _FromFile(settings_file or os.environ.get(FILE_VARIABLE) or None)

    class FromEnvironment(Settings, BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=ENVIRONMENT_PREFIX,
            env_ignore_empty=True,
            extra="forbid",
            frozen=True,
            defer_build=False,
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, file.values)

    _warn_of_unknown_variables()
    try:
        settings = FromEnvironment(**values)
    except ValidationError as error:
        raise SettingsError(_explained(error, values, file)) from None
    return Settings(**settings.model_dump())


class _FromFile:
    """What a settings file says.

    Raises:
        SettingsError: it cannot be read, or has settings that there are not.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.values: dict[str, Any] = {}
        self._table = ""
        self._document: ConfigDocument | None = None
        if path is None:
            return
        place = Path(path).absolute()
        try:
            if not place.exists():
                msg = (
                    f"there is no file {place}; correct its path, or the variable {FILE_VARIABLE}."
                )
                raise ConfigError(msg)
            self._document = ConfigFile(place).load()
        except ConfigError as error:
            msg = f"settings: {error} Open again; nothing was opened."
            raise SettingsError(msg) from error
        said: Any = self._document.values
        if place.name == "pyproject.toml":
            self._table = "tool.minutebook."
            for name in ("tool", "minutebook"):
                said = said.get(name, {}) if isinstance(said, dict) else None
        if not isinstance(said, dict):
            msg = f"settings: {place}: [tool.minutebook] is no table; correct it and open again."
            raise SettingsError(msg)
        self.values = dict(said)
        _refuse_unknown({name: f"{name!r} at {self.origin(name)}" for name in self.values})
        for name in _PATHS:
            if isinstance(self.values.get(name), str):
                self.values[name] = str(place.parent / self.values[name])

    def origin(self, name: str) -> str:
        """Return where a setting stands."""
        assert self._document is not None
        line = self._document.line(self._table + name)
        path = self._document.path
        return f"{path}:{line}: {name}" if line is not None else f"{path}: {name}"


def _refuse_unknown(names: dict[str, str]) -> None:
    """Refuse names of settings that there are not; the values say how each is named."""
    unknown = [shown for name, shown in names.items() if name not in Settings.model_fields]
    if unknown:
        known = ", ".join(Settings.model_fields)
        msg = (
            f"settings: there is no setting {', '.join(unknown)} (there are {known})."
            " Correct them and open again; nothing was opened."
        )
        raise SettingsError(msg)


def _warn_of_unknown_variables() -> None:
    # Not an error: a newer or older release of the host may share the environment.
    known = {ENVIRONMENT_PREFIX + name.upper() for name in Settings.model_fields} | {FILE_VARIABLE}
    for name in sorted(os.environ):
        if name.upper().startswith(ENVIRONMENT_PREFIX) and name.upper() not in known:
            logger.warning("%s is no setting of this Minutebook; it is ignored", name)


def _explained(error: ValidationError, given: dict[str, Any], file: _FromFile) -> str:
    variables = {name.upper() for name, value in os.environ.items() if value}
    problems = []
    for detail in error.errors(include_url=False, include_input=False):
        name = ".".join(map(str, detail["loc"]))
        variable = ENVIRONMENT_PREFIX + name.upper()
        if name in given:
            origin = name
        elif name in file.values and variable not in variables:
            origin = file.origin(name)
        else:
            origin = variable
        problems.append(f"{origin}: {detail['msg']}")
    return f"settings: {'; '.join(problems)}. Correct them and open again; nothing was opened."
