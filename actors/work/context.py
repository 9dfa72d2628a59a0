"""What a plan's callable gets as its one argument, `ctx`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minutebook.domain.envelope import new_id

STEP_NAME_CHARS_MAX = 500
"""A longer step name is cut there."""

TEXT_CHARS_MAX = 4000
"""Longest text of a decision, tool or checkpoint."""

ALTERNATIVES_MAX = 50
"""Most alternatives of a decision."""


class Attempt(NamedTuple):
    """Which execution of the plan this is."""

    number: int = 1
    """Counted from 1."""

    guidance: str | None = None
    """What the correction before it said is to be done otherwise; None without one."""


class WorkContext:
    """The sandbox, who asked for the plan, and the way to report progress.

    Built in the child process; safe to use from any of its threads.
    """

    __slots__ = (
        "_commit",
        "_is_cancelled",
        "_report",
        "attempt",
        "binding",
        "guidance",
        "identity",
        "path",
        "paths",
        "plan_id",
    )

    def __init__(
        self,
        *,
        path: Path,
        paths: Mapping[str, Path],
        plan_id: str,
        identity: str | None,
        binding: Mapping[str, str],
        attempt: Attempt,
        report: Callable[[dict[str, Any]], None],
        commit: Callable[[str], dict[str, str]],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.path = path
        """The sandbox's work tree, absolute; also the working directory."""

        self.paths = dict(paths)
        """The work tree of each project, by its name in the plan; `path` is the first one's."""

        self.plan_id = plan_id

        self.identity = identity
        """Who asked for the plan."""

        self.binding = dict(binding)
        """The caller's binding: `session_id`, `correlation_id`, ... as far as it was set."""

        self.attempt = attempt.number
        """Which execution of the plan this is, counted from 1."""

        self.guidance = attempt.guidance
        """What the correction before this attempt said; None without one."""

        self._report = report
        self._commit = commit
        self._is_cancelled = is_cancelled

    @property
    def session_id(self) -> str | None:
        """The caller's session."""
        return self.binding.get("session_id")

    @property
    def correlation_id(self) -> str | None:
        """The request that the plan belongs to."""
        return self.binding.get("correlation_id")

    @property
    def cancelled(self) -> bool:
        """True once the plan is being cancelled: return soon, the process is killed next."""
        return self._is_cancelled()

    def step(self, name: str, total: int | None = None) -> None:
        """Say that the step `name` begins, which ends the one before.

        `total` is how many steps there will be, where that is known. Raises `ValueError` for
        an empty name or a total below 1.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"A step needs a name, not {name!r}; give a short text.")
        if total is not None and (not isinstance(total, int) or total < 1):
            raise ValueError(f"A step's total is {total!r}; give a number from 1 up, or None.")
        self._report({"step": name[:STEP_NAME_CHARS_MAX], "total": total})

    def decide(
        self,
        question: str,
        *,
        choice: str,
        rationale: str | None = None,
        alternatives: Sequence[str] = (),
        parent: str | None = None,
    ) -> str:
        """Record a decision, and return its id, for a correction or as another one's `parent`.

        Raises `ValueError` for a text that is empty or longer than `TEXT_CHARS_MAX`, and for
        more than `ALTERNATIVES_MAX` alternatives, or some too long to be sent.
        """
        if len(alternatives) > ALTERNATIVES_MAX:
            raise ValueError(f"{len(alternatives)} are too many; give {ALTERNATIVES_MAX} at most.")
        _check_texts(question, choice, *alternatives)
        _check_texts(*(text for text in (rationale, parent) if text is not None))
        decision_id = new_id()
        self._note(
            "decision",
            decision_id=decision_id,
            question=question,
            choice=choice,
            rationale=rationale,
            alternatives=list(alternatives),
            parent_decision_id=parent,
        )
        return decision_id

    def tool(
        self, name: str, run: Callable[..., Any] | Sequence[str], *args: Any, **options: Any
    ) -> Any:
        """Use a tool, and record that: what `run` is called with, how long, and how it ended.

        `run` is a function, called with `args` and `options`, whose result is returned; or a
        command line as a list, continued by `args`, run in the sandbox with `options` for
        `subprocess.run`, whose result is returned. What either raises is recorded by its class
        and passes through. Of the arguments there is a keyed fingerprint in the trail.
        """
        _check_texts(name)
        started = time.monotonic()
        outcome: dict[str, Any] = {"ok": False}
        try:
            if callable(run):
                result = run(*args, **options)
                outcome["ok"] = True
            else:
                argv = [*run, *map(str, args)]
                result = subprocess.run(argv, **{"cwd": self.path, **options})
                outcome = {"ok": result.returncode == 0, "exit_code": result.returncode}
            return result
        except subprocess.CalledProcessError as error:
            outcome["exit_code"] = error.returncode
            raise
        except BaseException as error:
            outcome["error"] = type(error).__name__
            raise
        finally:
            given = [args, options] if callable(run) else [*run, *map(str, args)]
            self._note(
                "tool",
                tool_name=name,
                arguments=digest_of_arguments(given),
                seconds=round(time.monotonic() - started, 6),
                **outcome,
            )

    def checkpoint(self, name: str) -> str:
        """Commit what the sandboxes hold, so that a correction can go back there; return its id.

        Do nothing else in the sandboxes meanwhile. Raises `ValueError` for an empty name, and
        `ProjectError` when git cannot commit.
        """
        _check_texts(name)
        checkpoint_id = new_id()
        self._note("checkpoint", checkpoint_id=checkpoint_id, name=name, commits=self._commit(name))
        return checkpoint_id

    def _note(self, kind: str, **fields: Any) -> None:
        self._report({"note": kind, "fields": fields})


def digest_of_arguments(arguments: object) -> str:
    """SHA-256, in hexadecimal, of arguments as JSON; of what JSON does not know, of its `repr`."""
    text = json.dumps(arguments, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_texts(*texts: str) -> None:
    for text in texts:
        if not isinstance(text, str) or not text.strip() or len(text) > TEXT_CHARS_MAX:
            raise ValueError(f"Give a text of 1 to {TEXT_CHARS_MAX} characters, not {text!r:.80}.")
