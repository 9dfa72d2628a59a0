"""The parent's side of a plan's work: start it, follow it, stop it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from minutebook.actors.work.context import Attempt
from minutebook.actors.work.progress import Progress, Step, WorkResult
from minutebook.actors.work.spec import BOOTSTRAP_MARK, WorkSpec
from minutebook.actors.work.survivors import MARK_VARIABLE
from minutebook.domain.errors import WorkFailed

OUTPUT_BYTES_MAX = 64 * 1024
"""How much of the end of the work's output is kept."""

LOOK_S = 0.5
"""How often a silent child is looked at."""

GRACE_S = 2.0
"""How long the work has to end by itself after SIGTERM."""

KILL_S_MAX = 3.0
"""How long the supervisor in the child may take to kill what the work started."""


FIRST_ATTEMPT: Final = Attempt()


class WorkProcess:
    """One run of a plan's work, in a session and process group of its own.

    Call `wait` once it is started: nobody else empties its pipes. `stop` may be called from
    any thread, any number of times.
    """

    def __init__(self, process: subprocess.Popen[bytes], progress_fd: int) -> None:
        self._process = process
        self._progress = open(progress_fd, "rb", buffering=0)  # noqa: SIM115
        self._started = time.monotonic()
        self._lock = threading.Lock()  # guards the pid: no signal once it is reaped
        self._waiting = threading.Lock()
        self._reaped = False
        self._stopped = False
        self._result: WorkResult | None = None

    @classmethod
    def start(
        cls,
        work: WorkSpec,
        *,
        sandbox: str | os.PathLike[str],
        plan_id: str,
        sandboxes: Mapping[str, Mapping[str, str]] | None = None,
        attempt: Attempt = FIRST_ATTEMPT,
        mark: str | None = None,
        identity: str | None = None,
        binding: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> WorkProcess:
        """Start `work` with `sandbox` as working directory.

        `sandboxes` has the `path` and `kind` of each project's, for the work's context. `mark`
        is put into the environment, so that what is left of the work can be found.
        The child gets this description, the host's `sys.path`, and its environment without
        `MINUTEBOOK_*` and what would redirect git, with `env` on top. Raises `WorkFailed`.
        """
        if BOOTSTRAP_MARK in os.environ:
            raise WorkFailed(
                "A plan was started while its own script was loaded for the work; "
                'put the script\'s main part under `if __name__ == "__main__":`.'
            )
        progress_in, progress_out = os.pipe()
        try:
            process = subprocess.Popen(
                # By its path, not with -m, which would import from the sandbox first; and with
                # -P, so that the modules beside it shadow none of the standard library.
                [sys.executable, "-P", str(Path(__file__).with_name("child.py"))],
                cwd=sandbox,
                env=_environment(env) | ({} if mark is None else {MARK_VARIABLE: mark}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                pass_fds=(progress_out,),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(progress_in)
            raise WorkFailed(
                f"The work {work.label!r} could not be started in {os.fspath(sandbox)!r}: {error}; "
                "check the directory and the machine's limits."
            ) from error
        finally:
            os.close(progress_out)
        started = cls(process, progress_in)
        description = {
            "work": work.to_dict(),
            "sandbox": os.path.abspath(sandbox),
            "sandboxes": {name: dict(held) for name, held in (sandboxes or {}).items()},
            "attempt": list(attempt),
            "plan_id": plan_id,
            "identity": identity,
            "binding": {name: value for name, value in (binding or {}).items() if value},
            "sys_path": [os.path.abspath(entry) for entry in sys.path],
            "progress_fd": progress_out,
            "host_pid": os.getpid(),
        }
        assert process.stdin is not None
        # A child that is dead already is reported by wait(). The pipe stays open: the child
        # takes its end for ours.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(description).encode() + b"\n")
        return started

    @property
    def pid(self) -> int:
        """The child's process id, which is its process group's too."""
        return self._process.pid

    def wait(
        self,
        on_step: Callable[[Step], None] | None = None,
        *,
        on_note: Callable[[str, dict[str, Any]], None] | None = None,
        on_look: Callable[[], None] | None = None,
        timeout_s: float | None = None,
    ) -> WorkResult:
        """Return once the work and all that it started have ended.

        `on_step` is called in this thread as each step begins, `on_note` with each decision,
        tool and checkpoint of the work's context, and `on_look` every `LOOK_S` seconds or more
        often; if one raises, the work is killed and the error passes. After `timeout_s` the
        work is stopped. A second call returns the same result.
        """
        with self._waiting:
            if self._result is None:
                try:
                    self._result = self._follow(Progress(on_step, on_note), on_look, timeout_s)
                finally:
                    self._end()
                    self._close_pipes()
            return self._result

    def stop(self, grace_s: float = GRACE_S) -> None:
        """SIGTERM to the whole group, SIGKILL after `grace_s`; returns once all are dead."""
        with self._lock:
            if self._reaped:
                return
            if not self._exited():
                self._stopped = True
                self._signal(signal.SIGTERM)
        if not self._exits_within(grace_s):
            with self._lock, contextlib.suppress(OSError):
                assert self._process.stdin is not None
                self._process.stdin.close()  # the supervisor kills everything now
            self._exits_within(KILL_S_MAX)
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.wait()

    def _follow(
        self, steps: Progress, on_look: Callable[[], None] | None, timeout_s: float | None
    ) -> WorkResult:
        output = self._process.stdout
        assert output is not None
        os.set_blocking(output.fileno(), False)
        os.set_blocking(self._progress.fileno(), False)
        tail = bytearray()
        timed_out = False
        deadline = None if timeout_s is None else self._started + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._progress, selectors.EVENT_READ)
            selector.register(output, selectors.EVENT_READ)
            # The end of the progress pipe is the end of the child: the output may be held
            # open longer, by whatever escaped from it; so may, without subreapers, that pipe.
            while True:
                left = LOOK_S if deadline is None else max(0.0, deadline - time.monotonic())
                ready = [key.fileobj for key, _ in selector.select(min(left, LOOK_S))]
                if output in ready and _read_tail(output.fileno(), tail) == 0:
                    selector.unregister(output)
                if self._progress in ready:
                    data = self._progress.read(65536)
                    if data == b"":
                        break
                    steps.feed(data or b"")
                if not ready and self._exits_within(0.0):
                    break
                if on_look is not None:
                    on_look()
                if left == 0.0:
                    timed_out, deadline = True, None
                    self.stop(0.0)
        self._end()
        while _read_tail(output.fileno(), tail):
            pass
        ended = steps.exit_code
        exit_code = self._process.returncode if ended is None else ended
        done = steps.count if exit_code == 0 and not self._stopped else max(0, steps.count - 1)
        return WorkResult(
            exit_code=exit_code,
            steps_started=steps.count,
            steps_done=done,
            last_step=steps.name,
            last_completed_step=steps.name if done == steps.count else steps.name_before,
            total=steps.total,
            output_tail=tail.decode("utf-8", "replace"),
            error=steps.error,
            stopped=self._stopped,
            timed_out=timed_out,
            seconds=time.monotonic() - self._started,
        )

    def _exits_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            with self._lock:
                if self._reaped or self._exited():
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)

    def _exited(self) -> bool:
        # Looked at without reaping where possible, so that the group's number stays ours.
        if sys.platform == "darwin":
            return self._process.poll() is not None
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._process.pid, options) is not None
        except ChildProcessError:
            return True  # the host ignores SIGCHLD, so the kernel has reaped it

    def _end(self) -> None:
        with self._lock:
            if not self._reaped:
                self._signal(signal.SIGKILL)
                self._process.wait()
                self._reaped = True

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._progress):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _read_tail(descriptor: int, tail: bytearray) -> int | None:
    """Read what is there and keep the end; how many bytes, 0 at the end, None if none yet."""
    try:
        data = os.read(descriptor, 65536)
    except BlockingIOError:
        return None
    tail += data
    del tail[:-OUTPUT_BYTES_MAX]
    return len(data)


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MINUTEBOOK_") and name not in _REDIRECTS_GIT
    }
    if "PYTHONPATH" in kept:  # relative to the host's directory, not to the sandbox
        entries = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in entries)
    return {**kept, **(extra or {})}


_REDIRECTS_GIT = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)
"""Set where the host runs in a git hook; the work's git commands are for the sandbox."""
