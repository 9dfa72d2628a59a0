"""One git command, run the same way whatever the host's environment looks like."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from minutebook.domain.errors import GitError

TIMEOUT_S = 600.0
"""How long one git command may take; checking out a large repository is the longest."""

STDERR_CHARS_MAX = 2000

_kept_open: ContextVar[tuple[int, ...]] = ContextVar("minutebook_git_kept_open", default=())

# Of the host's GIT_* variables only those are kept which say where configuration lies and
# how to reach a server. The rest (GIT_DIR, GIT_WORK_TREE, GIT_INDEX_FILE, ...) would aim our
# commands at another repository; they are set, for one, wherever the host runs in a hook.
_KEPT = re.compile(
    r"GIT_(CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|EXEC_PATH|ATTR_NOSYSTEM"
    r"|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM|SSH|SSH_COMMAND|SSH_VARIANT|SSL_\w+)"
)

_SETTINGS = (
    "core.hooksPath=/dev/null",  # the user's hooks are for the user's own commits
    "core.fsmonitor=false",  # it may be a hook, and may leave a daemon behind
    "commit.gpgSign=false",
    "merge.verifySignatures=false",
    "merge.autoStash=false",
    "rerere.enabled=false",  # a conflict is reported, not resolved from memory
    "gc.auto=0",  # no collector in the background, which holds locks
    "maintenance.auto=false",
    "submodule.recurse=false",
)


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit says has written it."""

    name: str
    email: str

    @classmethod
    def parse(cls, identity: str | None) -> Author:
        """From ``Name <address>``, an address, or any name; never fails."""
        text = re.sub(r"[\x00-\x1f\x7f]+", " ", identity or "").strip()
        match = re.fullmatch(r"(.*?)\s*<([^<>]*)>", text)
        name, email = match.groups() if match else (text, text if "@" in text else "")
        name = re.sub(r"[<>]", "", name).strip(" .,:;\"\\'")
        email = re.sub(r"[<>\s]", "", email).strip(".,:;\"\\'")
        if not name:
            name = email or MINUTEBOOK.name
        return cls(name=name, email=email or MINUTEBOOK.email)


MINUTEBOOK = Author(name="Minutebook", email="minutebook@localhost")
"""Committer of every commit that we make, and author where no other is given."""


@dataclass(frozen=True, slots=True)
class GitOutput:
    """What a git command left."""

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def line(self) -> str:
        """Standard output as one line of text; file names keep every byte."""
        return decode_name(self.stdout.removesuffix(b"\n"))


def decode_name(raw: bytes) -> str:
    """A file name of git's as text; bytes that are not UTF-8 become lone surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def split_names(raw: bytes) -> list[str]:
    """The names in NUL-terminated output."""
    return [decode_name(name) for name in raw.split(b"\0") if name]


def git_environment(author: Author = MINUTEBOOK) -> dict[str, str]:
    """The host's environment without what would redirect git, with explicit identities."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or _KEPT.fullmatch(name)
    }
    environment.update(
        GIT_TERMINAL_PROMPT="0",
        GIT_OPTIONAL_LOCKS="0",  # a look at the project never takes its index lock
        LC_ALL="C",
        GIT_AUTHOR_NAME=author.name,
        GIT_AUTHOR_EMAIL=author.email,
        GIT_COMMITTER_NAME=MINUTEBOOK.name,
        GIT_COMMITTER_EMAIL=MINUTEBOOK.email,
    )
    return environment


@contextmanager
def keeping_open(descriptors: Sequence[int]) -> Iterator[None]:
    """Have each git command of the block keep `descriptors` open until it has ended.

    So a lock on a file is held on by a command that goes on when this process is killed.
    """
    token = _kept_open.set((*_kept_open.get(), *descriptors))
    try:
        yield
    finally:
        _kept_open.reset(token)


def run_git(
    cwd: str | os.PathLike[str],
    *args: str,
    input: bytes | None = None,
    check: bool = True,
    timeout_s: float = TIMEOUT_S,
    author: Author = MINUTEBOOK,
    pass_fds: Sequence[int] = (),
    index_file: str | os.PathLike[str] | None = None,
) -> GitOutput:
    """Run ``git <args>`` in `cwd` and return its output.

    The user's configuration counts (filters, rename detection, line endings), but hooks,
    signing, prompts and background maintenance are off. The command has its own session, so
    that Ctrl-C in the host's terminal does not cut a merge in two. It goes on when the host is
    killed, and keeps `pass_fds` open until it has ended. `index_file` stands in for the
    repository's index.

    Raises `GitError` when git is missing, takes longer than `timeout_s`, or, with `check`,
    exits with anything but 0.
    """
    command = ["git"]
    for setting in _SETTINGS:
        command += ["-c", setting]
    command += args
    environment = git_environment(author)
    if index_file is not None:
        environment["GIT_INDEX_FILE"] = os.path.abspath(index_file)
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(*pass_fds, *_kept_open.get()),
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if not os.path.isdir(cwd):
            reason = f"the directory {os.fspath(cwd)!r} is not there; check the path"
        else:
            reason = f"{error}; install git and put it on PATH"
        raise GitError(f"git {_name_of(args)} could not be started: {reason}.") from error
    with process:
        try:
            stdout, stderr = process.communicate(input, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            _kill_group(process)
            raise GitError(
                f"git {_name_of(args)} in {os.fspath(cwd)!r} took longer than {timeout_s:g} s and "
                "was stopped; look for a hanging filter or a slow disk, then try again."
            ) from error
        except BaseException:
            _kill_group(process)
            raise
    output = GitOutput(process.returncode, stdout, stderr.decode("utf-8", "replace"))
    if check and output.exit_code:
        raise git_error(cwd, _name_of(args), output)
    return output


def git_error(cwd: str | os.PathLike[str], command: str, output: GitOutput) -> GitError:
    """The error for a git command that failed, with its standard error and advice."""
    said = output.stderr.strip() or decode_name(output.stdout).strip() or "it said nothing"
    if "dubious ownership" in said:
        advice = "add the directory to git's safe.directory, or own it"
    elif ".lock" in said:
        advice = "end the other git process, or delete the lock it left, then try again"
    else:
        advice = "put right what git names, then try again"
    return GitError(
        f"git {command} in {os.fspath(cwd)!r} failed (exit {output.exit_code}): "
        f"{said[-STDERR_CHARS_MAX:]}\n{advice[0].upper()}{advice[1:]}."
    )


def _name_of(args: Sequence[str]) -> str:
    return next((arg for arg in args if not arg.startswith("-")), args[0])


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # The group, since a filter or merge driver started by git holds our pipes open. The
    # leader is not reaped yet, so its number cannot belong to anybody else.
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
