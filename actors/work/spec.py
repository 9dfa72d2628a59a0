"""What a plan's work is, told so that another process can run it."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minutebook.domain.errors import UnimportableWork

BOOTSTRAP_MARK = "MINUTEBOOK_WORK_BOOTSTRAP"
"""Set in the child's environment while the host's script is run again."""


@dataclass(frozen=True, slots=True)
class WorkSpec:
    """Either a callable (`module` and `qualname`) or a command (`argv`)."""

    module: str | None = None
    """Importable name; `__main__` for a function of the script at `main_path`."""

    qualname: str | None = None
    """Dotted path of the callable inside the module."""

    main_path: str | None = None
    """Absolute path of the host's script, when `module` is `__main__`."""

    argv: tuple[str, ...] = ()
    """Program and arguments of a command; empty for a callable."""

    @property
    def label(self) -> str:
        """What to call it: `module:qualname`, or the program's name."""
        return self.argv[0] if self.argv else f"{self.module}:{self.qualname}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for `from_dict`."""
        return {
            "module": self.module,
            "qualname": self.qualname,
            "main_path": self.main_path,
            "argv": list(self.argv),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WorkSpec:
        """The spec that `to_dict` described; raises `UnimportableWork` if it is none."""
        try:
            argv = values.get("argv") or ()
            if not argv:
                module, qualname = str(values["module"]), str(values["qualname"])
                return cls(module=module, qualname=qualname, main_path=values.get("main_path"))
            return cls(argv=_checked_command(argv))
        except KeyError as error:
            raise UnimportableWork(
                f"A stored work has no {error}; describe it again with describe_work()."
            ) from error


def describe_work(work: Callable[..., Any] | str | Sequence[str]) -> WorkSpec:
    """Describe a function, `"module:qualname"`, or a command as a list of strings.

    Raises `UnimportableWork` for what a child process could not find under its name: a
    lambda, a function inside a function, a bound method, a partial, a function that was
    replaced; for coroutine and generator functions, which do nothing when called; and for a
    function of an interactive session.
    """
    if isinstance(work, str):
        module, colon, qualname = work.partition(":")
        parts = [*module.split("."), *qualname.split(".")]
        if not colon or not all(part.isidentifier() for part in parts):
            raise UnimportableWork(
                f"{work!r} does not name a callable; write 'package.module:function', "
                "or a command as a list of strings."
            )
        return _located(module, qualname)
    if callable(work):
        return _described_callable(work)
    return describe_command(work)


def describe_command(argv: Sequence[str]) -> WorkSpec:
    """Describe a command given as a list of strings; raises `UnimportableWork` for others."""
    return WorkSpec(argv=_checked_command(argv))


def _described_callable(work: Callable[..., Any]) -> WorkSpec:
    module = getattr(work, "__module__", None)
    qualname = getattr(work, "__qualname__", None)
    label = qualname or repr(work)
    advice = "define it with `def` at the top of a module."
    if inspect.isclass(work):
        raise UnimportableWork(f"{label} is a class; give a function, and {advice}")
    if inspect.ismethod(work):
        raise UnimportableWork(f"{label} is a bound method, whose object stays here; {advice}")
    if not isinstance(module, str) or not isinstance(qualname, str):
        raise UnimportableWork(f"{label} has no name to import it by; {advice}")
    if "<lambda>" in qualname:
        raise UnimportableWork(f"{label} in {module} is a lambda; {advice}")
    if "<locals>" in qualname:
        raise UnimportableWork(f"{label} in {module} is inside a function; {advice}")
    if (
        inspect.iscoroutinefunction(work)
        or inspect.isgeneratorfunction(work)
        or inspect.isasyncgenfunction(work)
    ):
        raise UnimportableWork(
            f"{label} is a coroutine or generator function; give a plain function that runs it."
        )
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if found is not work:
        raise UnimportableWork(
            f"{module}.{qualname} is not this function but {found!r}; give the one that can be "
            "imported by that name."
        )
    return _located(module, qualname)


def _located(module: str, qualname: str) -> WorkSpec:
    if module != "__main__":
        return WorkSpec(module=module, qualname=qualname)
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != "__main__":
        return WorkSpec(module=spec.name, qualname=qualname)  # python -m package.module
    path = getattr(main, "__file__", None)
    if path is None or not Path(path).exists():
        raise UnimportableWork(
            f"{qualname} was defined in an interactive session; put it into a file and import it."
        )
    return WorkSpec(module=module, qualname=qualname, main_path=os.path.abspath(path))


def _checked_command(argv: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(argv, list | tuple) or not argv:
        raise UnimportableWork(
            f"{argv!r} is no command; give a list of strings that starts with the program."
        )
    for part in argv:
        if not isinstance(part, str) or "\0" in part:
            raise UnimportableWork(
                f"{part!r} cannot be part of a command; give strings without NUL."
            )
    if not argv[0]:
        raise UnimportableWork("The command's program is empty; name one.")
    return tuple(argv)
