"""What every request to a service actor has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from minutebook.domain.errors import InvalidCommand

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
                    "".join(f"{'.'.join(map(str, loc))}: " for loc in (detail["loc"],) if loc)
                    + detail["msg"].removeprefix("Value error, ")
                    for detail in details
                )
                msg = f"{type(self).__name__}: {problems}. Correct the call; nothing was done."
                raise InvalidCommand(msg) from None

        __init__.__pydantic_base_init__ = True
