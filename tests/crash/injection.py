"""Making one system call of a process fail, with strace; Linux only.

A call site is the n-th call of a kind, by one thread, on one kind of the ledger's files.
strace counts for each thread by itself, and only the calls that name one of its ``-P`` paths.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from tests.contract.trail import ROOT, WAIT_S

# Those with a question mark are not there on every architecture: arm64 has the *at calls only.
SYSCALLS: Final = (
    *("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "openat", "flock"),
    *("?rename", "renameat", "renameat2", "?unlink", "unlinkat", "mmap"),
)

LEDGER_NAME: Final = "audit.db"

_KINDS: Final = (
    (re.compile(r"\.journal\.d/[0-9a-f]{32}-\d+\.journal$"), "journal segment"),
    (re.compile(r"\.journal\.d/[0-9a-f]{32}[^/]*\.new$"), "spare segment"),
    (re.compile(r"\.journal\.d/[0-9a-f]{32}\.owner$"), "journal owner"),
    (re.compile(r"\.journal\.d/recovery\.lock$"), "recovery.lock"),
    (re.compile(r"\.journal\.d$"), "journal directory"),
    (re.compile(r"/audit\.db(\.app\.db)?(-journal|-wal|-shm)?$"), ""),
    (re.compile(r"/audit\.db\.lock$"), ""),
)

_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_PATH = re.compile(r'[<"](/[^>"]*)[>"]')


def missing_tool() -> str | None:
    """Say why nothing can be injected here; None when it can."""
    if not sys.platform.startswith("linux"):
        return "strace is of Linux only"
    if shutil.which("strace") is None:
        return "there is no strace; install it from the packages of the distribution"
    probe = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"], capture_output=True, text=True
    )
    return f"strace cannot trace here: {probe.stderr.strip()}" if probe.returncode else None


class Call(NamedTuple):
    """One system call on one of the ledger's files."""

    thread: int
    syscall: str
    path: str
    injected: bool


class Site(NamedTuple):
    """One call that is to fail."""

    syscall: str
    kind: str
    nth: int
    """Which of a thread's calls; from 1."""
    of: int
    """How many of them a thread made without a fault."""
    paths: tuple[str, ...]
    """The files of this kind, relative to the ledger's directory."""


class Run(NamedTuple):
    """What a traced process did."""

    returncode: int | None
    """None when it hung and was ended."""
    stdout: str
    stderr: str
    calls: list[Call]


def kind_of(path: str) -> str | None:
    """Name the kind of file; None for what is none of the ledger's."""
    for pattern, kind in _KINDS:
        if pattern.search(path):
            return kind or path.rpartition("/")[2].replace(LEDGER_NAME, "ledger", 1)
    return None


def trace(command: list[str], directory: Path, site: Site | None = None, error: str = "") -> Run:
    """Run a command, with one of its calls failing, and return what it did.

    Args:
        command: program and arguments.
        directory: where the ledger is.
        site: which call fails; none when not given.
        error: with which error, such as ``EIO``.
    """
    log = directory / "strace.log"
    traced = ["strace", "-f", "-y", "--seccomp-bpf", "-o", str(log)]
    if site is None:
        traced += ["-e", f"trace={','.join(SYSCALLS)}"]
    else:
        traced += ["-e", f"trace={site.syscall}"]
        traced += ["-e", f"inject={site.syscall}:error={error}:when={site.nth}"]
        for path in site.paths:
            traced += ["-P", str(directory / path)]
    child = subprocess.Popen(
        [*traced, *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    returncode: int | None
    try:
        stdout, stderr = child.communicate(timeout=2 * WAIT_S)
        returncode = child.returncode
    except subprocess.TimeoutExpired:
        child.kill()  # strace's end lets the traced process go, which then ends by its own
        stdout, stderr = child.communicate()
        returncode = None
    calls = list(parse(log.read_text(errors="replace").splitlines(), directory))
    log.unlink()
    return Run(returncode, stdout, stderr, calls)


def parse(lines: Iterable[str], directory: Path) -> Iterable[Call]:
    """Read strace's log; calls on other files are left out."""
    unfinished: dict[str, str] = {}
    for line in lines:
        found = _CALL.match(line) or _RESUMED.match(line)
        if found is None:
            continue
        thread, syscall, rest = found.groups()
        if rest.endswith("<unfinished ...>"):
            unfinished[thread] = rest
            continue
        if "resumed>" in line:
            rest = unfinished.pop(thread, "") + rest
        paths = [path for path in _PATH.findall(rest) if Path(path).is_relative_to(directory)]
        if paths:
            # A second one is what a name was opened as, or what a file is renamed to.
            yield Call(int(thread), syscall, paths[0], rest.endswith("(INJECTED)"))


def sites(calls: Iterable[Call], directory: Path) -> list[Site]:
    """Choose which calls are to fail: of each thread's on each kind of file, the first, one in
    the middle and the last.
    """
    counts: Counter[tuple[str, str, int]] = Counter()
    files: dict[tuple[str, str], dict[str, None]] = {}
    for call in calls:
        kind = kind_of(call.path)
        if kind is not None:
            counts[call.syscall, kind, call.thread] += 1
            relative = str(Path(call.path).relative_to(directory))
            files.setdefault((call.syscall, kind), {})[relative] = None
    chosen = {
        (syscall, kind, nth): count
        for (syscall, kind, _), count in sorted(counts.items())
        for nth in (1, (count + 1) // 2, count)
    }
    return [
        Site(syscall, kind, nth, count, tuple(files[syscall, kind]))
        for (syscall, kind, nth), count in chosen.items()
    ]
