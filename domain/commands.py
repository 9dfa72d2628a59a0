"""What may be asked of the service actors: one frozen class per request, imperative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from minutebook.domain.errors import InvalidCommand
from minutebook.domain.plan import Phase

TEXT_CHARACTERS_MAX = 4096
"""Limit of a `Name`: that of a path on Linux."""


def _named(text: str) -> str:
    if not text.strip() or len(text) > TEXT_CHARACTERS_MAX:
        msg = f"give a text of 1 to {TEXT_CHARACTERS_MAX} characters"
        raise ValueError(msg)
    return text


# Not by pydantic's min_length, which refuses the lone surrogates of a path that is not UTF-8.
Name = Annotated[str, AfterValidator(_named)]
"""A name, path, id or sentence: never empty."""


class Command(BaseModel):
    """Base of the requests below.

    Raises:
        InvalidCommand: an argument is missing or malformed; nothing was asked.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,
    )

    audited: ClassVar[bool] = True
    """Whether doing it is recorded; what only looks is not."""

    if not TYPE_CHECKING:

        def __init__(self, /, **data: Any) -> None:
            try:
                self.__pydantic_validator__.validate_python(data, self_instance=self)
            except ValidationError as error:
                details = error.errors(include_url=False, include_input=False)
                problems = "; ".join(
                    f"{'.'.join(map(str, detail['loc']))}:"
                    f" {detail['msg'].removeprefix('Value error, ')}"
                    for detail in details
                )
                msg = f"{type(self).__name__}: {problems}. Correct the call; nothing was done."
                raise InvalidCommand(msg) from None

        __init__.__pydantic_base_init__ = True


# -- sessions -----------------------------------------------------------------


class CreateSession(Command):
    """Begin a session; answered with a `Session`."""

    actor_name: Name
    client: Name | None = None


class CloseSession(Command):
    """End a session; answered with the `Session`."""

    session_id: Name
    reason: Name = "closed"


class GetSession(Command):
    """Answered with the `Session`."""

    audited = False
    session_id: Name


class ListSessions(Command):
    """Answered with a tuple of `Session`, oldest first."""

    audited = False
    open_only: bool = True


class DeleteSession(Command):
    """Delete what is known of a closed session; answered with the `Session`."""

    session_id: Name


# -- authentication -----------------------------------------------------------


class CreateUser(Command):
    """Make a user; answered with the `User`."""

    name: Name
    password: Annotated[SecretStr, Field(min_length=8, max_length=1000)]


class ListUsers(Command):
    """Answered with a tuple of `User`, by name."""

    audited = False


class DeleteUser(Command):
    """Delete a user with all tokens; answered with the `User`."""

    name: Name


class CreateToken(Command):
    """Make an API token; answered with the `ApiToken`."""

    user_name: Name
    label: Name


class AuthenticatePassword(Command):
    """Check a password; answered with a `Principal`."""

    name: Name
    password: Annotated[SecretStr, Field(max_length=1000)]
    source_address: Name | None = None


class AuthenticateToken(Command):
    """Check an API token; answered with a `Principal`."""

    secret: Annotated[SecretStr, Field(max_length=1000)]
    source_address: Name | None = None


# -- configuration ------------------------------------------------------------

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=200)]
"""A dotted name of a setting."""


class GetConfig(Command):
    """Answered with the `ConfigSetting`."""

    audited = False
    key: Key


class ListConfig(Command):
    """Answered with a tuple of `ConfigSetting`, in the file's order."""

    audited = False


class SetConfig(Command):
    """Set a setting; answered with the `ConfigSetting`."""

    key: Key
    value: Any = Field(repr=False)
    secret: bool | None = None


class UnsetConfig(Command):
    """Remove a setting; answered with what it was, a `ConfigSetting`."""

    key: Key


class DeleteConfig(Command):
    """Remove the whole file; answered with the number of settings that it had."""


# -- plans --------------------------------------------------------------------


class CreatePlan(Command):
    """Make a plan for a project; answered with the `Plan`."""

    action: Name
    project: Name


class GetPlan(Command):
    """Answered with the `Plan`."""

    audited = False
    plan_id: Name


class ListPlans(Command):
    """Answered with a tuple of `Plan`, oldest first."""

    audited = False
    phase: Phase | None = None


class StrategizePlan(Command):
    """Say how a plan is to be done; answered with the `Plan`."""

    plan_id: Name
    strategy: Name


class DeletePlan(Command):
    """Delete what is known of a plan that has ended; answered with the `Plan`."""

    plan_id: Name


class BeginPhase(Command):
    """A worker takes a plan into a phase; answered with the `Plan`."""

    plan_id: Name
    phase: Phase
    tool_name: str | None = None
    """What is about to work, when it is to be noted."""


class NoteProgress(Command):
    """A worker says how far the plan's work has come."""

    plan_id: Name
    last_step: str | None
    steps_done: int
    steps_total: int | None


class CompletePhase(Command):
    """A worker has done with a phase; answered with the `Plan`."""

    plan_id: Name
    phase: Phase
    changeset_id: str | None = None


class CompleteApply(Command):
    """The apply worker has moved the project; answered with the `Plan`."""

    plan_id: Name
    applied: Any
    """An `Applied`."""
    resources: tuple[str, ...]
    """Paths of the files."""


class FailPlan(Command):
    """A step of a plan has failed, which ends it; answered with the `Plan`."""

    plan_id: Name
    error: str
    error_type: str


class CancelPlan(Command):
    """Stop a plan and give back what it holds; answered with a `Cancellation`."""

    plan_id: Name
    reason: Name


class BeginCancel(Command):
    """Take a plan out of its phase for ever; answered with the `Plan` as it was before."""

    plan_id: Name


# -- apply --------------------------------------------------------------------


class ExecutePlan(Command):
    """Run a plan's work in a sandbox; answered, when it has ended, with an `Execution`."""

    plan_id: Name
    work: Any
    """A `minutebook.actors.work.spec.WorkSpec`."""


class ApplyPlan(Command):
    """Merge a plan's changes into its project; answered with an `Applied`."""

    plan_id: Name
    validations: tuple[tuple[str, ...], ...] = ()
    validation_timeout_s: Annotated[float, Field(gt=0)] = 300.0


class StopWork(Command):
    """End a plan's work and its processes; answered with a `StoppedWork`."""

    plan_id: Name


# -- sandboxes ----------------------------------------------------------------


class CreateSandbox(Command):
    """Make a sandbox for a plan; answered with the `Sandbox`."""

    plan_id: Name
    project_path: Name


class ListSandboxes(Command):
    """Answered with a tuple of `Sandbox`, oldest first."""

    audited = False
    existing_only: bool = True


class ReleaseSandbox(Command):
    """Remove a plan's sandbox; answered with a `ReleasedSandbox`, or ``None`` for none."""

    plan_id: Name
