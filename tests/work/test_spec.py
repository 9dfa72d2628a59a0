"""A work is described so that another process finds the same code, or it is refused."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import pytest

from minutebook.actors.work.spec import WorkSpec, describe_command, describe_work
from minutebook.domain.errors import UnimportableWork


def work(ctx: Any) -> None:
    """Stands for a host's function."""


def replaced(ctx: Any) -> None:
    """Will be hidden by another of its name."""


original = replaced


def replaced(ctx: Any) -> None:  # type: ignore[no-redef]
    """Hides the first."""


async def asynchronous(ctx: Any) -> None:
    """Does nothing when called."""


def generator(ctx: Any) -> Iterator[int]:
    """Does nothing when called."""
    yield 1


class Holder:
    def method(self, ctx: Any) -> None:
        """Bound to an object of this process."""

    @staticmethod
    def static(ctx: Any) -> None:
        """Found by its dotted name."""

    def __call__(self, ctx: Any) -> None:
        """An object that can be called."""


def test_functions_names_and_commands_are_described() -> None:
    """Each form of work has one description, which survives being stored."""
    for described, expected in (
        (describe_work(work), WorkSpec(module=__name__, qualname="work")),
        (describe_work(Holder.static), WorkSpec(module=__name__, qualname="Holder.static")),
        (describe_work("pkg.mod:Class.f"), WorkSpec(module="pkg.mod", qualname="Class.f")),
        (describe_work(["make", "-j2"]), WorkSpec(argv=("make", "-j2"))),
        (describe_command(("make",)), WorkSpec(argv=("make",))),
    ):
        assert described == expected
        assert WorkSpec.from_dict(described.to_dict()) == expected


def test_labels_are_short() -> None:
    """A label is the name, or the program without its arguments (they may be secret)."""
    assert describe_work("a.b:c").label == "a.b:c"
    assert describe_work(["curl", "--token", "secret"]).label == "curl"


def nested() -> Any:
    def inner(ctx: Any) -> None:
        """Exists only while `nested` runs."""

    return inner


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda ctx: None, "lambda"),
        (nested(), "inside a function"),
        (Holder().method, "bound method"),
        (Holder(), "no name"),
        (Holder, "is a class"),
        (functools.partial(work), "no name"),
        (original, "is not this function"),
        (asynchronous, "coroutine"),
        (generator, "generator"),
        ("no colon", "does not name"),
        ("module:", "does not name"),
        ("mo dule:f", "does not name"),
        ("rm -rf /: f", "does not name"),
        ([], "no command"),
        ([""], "empty"),
        (["echo", 1], "cannot be part"),
        (["echo", "a\0b"], "cannot be part"),
        (7, "no command"),
    ],
)
def test_what_cannot_be_found_again_is_refused(wrong: Any, reason: str) -> None:
    """The error says why, and what to do."""
    with pytest.raises(UnimportableWork, match=reason):
        describe_work(wrong)


def test_a_builtin_is_found_by_its_name() -> None:
    """What has an importable name need not be written in Python."""
    assert describe_work(math.sqrt).label == "math:sqrt"


def test_a_command_is_never_a_string() -> None:
    """A shell line is not split on the quiet."""
    with pytest.raises(UnimportableWork):
        describe_command("make test")


@pytest.mark.parametrize("stored", [{}, {"module": "m"}, {"argv": [1]}, {"argv": "make"}])
def test_a_damaged_description_is_refused(stored: dict[str, Any]) -> None:
    """A stored description that is none is one clear error."""
    with pytest.raises(UnimportableWork):
        WorkSpec.from_dict(stored)
