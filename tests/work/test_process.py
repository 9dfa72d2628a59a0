"""Work runs in a process of its own, is followed to its end, and leaves nothing running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.work.process import OUTPUT_BYTES_MAX, WorkProcess
from minutebook.actors.work.progress import Step, WorkResult
from minutebook.actors.work.spec import describe_work
from minutebook.domain.errors import WorkFailed

AllDead = Callable[[list[int]], None]


def start(work: Any, sandbox: Path, **options: Any) -> WorkProcess:
    described = describe_work(f"plan_works:{work}" if isinstance(work, str) else work)
    return WorkProcess.start(described, sandbox=sandbox, plan_id="p1", **options)


def run(work: Any, sandbox: Path, **options: Any) -> WorkResult:
    with start(work, sandbox, **options) as process:
        return process.wait()


def test_a_callable_works_in_the_sandbox(sandbox: Path) -> None:
    """It gets the sandbox, its steps arrive in order, its output is kept."""
    steps: list[Step] = []
    process = start("write", sandbox)
    result = process.wait(steps.append)
    assert steps == [Step(1, "first", 2), Step(2, "second", 2)]
    assert (sandbox / "made").read_text() == "made"
    assert (result.ok, result.exit_code, result.error, result.stopped) == (True, 0, None, False)
    assert (result.steps_started, result.steps_done, result.total) == (2, 2, 2)
    assert (result.last_step, result.last_completed_step) == ("second", "second")
    assert result.output_tail == f"printed {sandbox.resolve()}\n"
    assert process.wait() is result


def test_the_context_has_the_caller_and_no_secret_of_the_host(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The binding is there; the host's arguments, settings and git redirection are not."""
    monkeypatch.setenv("MINUTEBOOK_SECRET", "s")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("KEPT", "k")
    monkeypatch.setattr(sys, "argv", ["host", "--password=hunter2"])
    binding = {"session_id": "s1", "correlation_id": "c1", "traceparent": "t"}
    run("tell_all", sandbox, identity="alice", binding=binding, env={"EXTRA": "e"})
    told = json.loads((sandbox / "told").read_text())
    environment = told.pop("environment")
    assert (environment["KEPT"], environment["EXTRA"]) == ("k", "e")
    assert not {"MINUTEBOOK_SECRET", "GIT_DIR"} & set(environment)
    assert "hunter2" not in json.dumps([told, environment])
    assert told["binding"] == binding
    assert (told["identity"], told["session_id"], told["correlation_id"]) == ("alice", "s1", "c1")
    assert (told["plan_id"], told["path"]) == ("p1", str(sandbox))


def test_an_exception_is_reported(sandbox: Path) -> None:
    """Its text is the error, its traceback in the output, its step not done."""
    result = run("fail", sandbox)
    assert (result.ok, result.exit_code, result.error) == (False, 1, "ValueError: no luck")
    assert "in fail" in result.output_tail
    assert (result.steps_started, result.steps_done) == (2, 1)
    assert (result.last_step, result.last_completed_step, result.total) == ("second", "first", 3)


@pytest.mark.parametrize(
    ("work", "exit_code"), [("leave", 7), ("crash", -signal.SIGSEGV), (["sh", "-c", "exit 3"], 3)]
)
def test_the_exit_code_is_the_works(sandbox: Path, work: Any, exit_code: int) -> None:
    """`sys.exit`, a signal, a command: the parent sees what ended it."""
    assert run(work, sandbox).exit_code == exit_code


@pytest.mark.parametrize("name", ["no_such_module_x:f", "plan_works:missing", "plan_works:json"])
def test_a_callable_that_is_not_there_is_an_error(sandbox: Path, name: str) -> None:
    """The child says what it could not find."""
    result = WorkProcess.start(describe_work(name), sandbox=sandbox, plan_id="p").wait()
    assert result.exit_code == 1
    assert result.error is not None
    assert name.partition(":")[0] in result.error


def test_a_command_runs_in_the_sandbox(sandbox: Path) -> None:
    """Standard output and error are kept, standard input is empty."""
    result = run(["sh", "-c", "cat; pwd; echo oops >&2; touch made"], sandbox)
    assert result.output_tail == f"{sandbox.resolve()}\noops\n"
    assert (sandbox / "made").exists()


def test_a_command_that_is_not_there_is_127(sandbox: Path) -> None:
    """As in a shell, with the reason."""
    result = run(["no-such-program-x"], sandbox)
    assert (result.exit_code, result.error is not None) == (127, True)


def test_a_missing_sandbox_is_an_error(tmp_path: Path) -> None:
    """Nothing is started."""
    with pytest.raises(WorkFailed, match="could not be started"):
        start("write", tmp_path / "nowhere")


def test_modules_in_the_sandbox_shadow_nothing(sandbox: Path, works: Path) -> None:
    """A repository may have a json.py and a plan_works.py of its own."""
    for name in ("json", "select", "traceback", "plan_works"):
        (sandbox / f"{name}.py").write_text("raise SystemExit('shadowed')")
    assert run("write", sandbox).ok


def test_a_relative_pythonpath_does_not_reach_into_the_sandbox(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty or relative entry means the host's directory, as it does for the host."""
    (sandbox / "json.py").write_text("raise SystemExit('shadowed')")
    (sandbox / "lib").mkdir()
    (sandbox / "lib/select.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}lib")
    assert run("write", sandbox).ok


def test_a_command_starts_with_the_defaults_of_every_signal(sandbox: Path) -> None:
    """What the host, or Python itself, ignores and blocks is not passed on."""
    before = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGCHLD, signal.SIGTERM)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    try:
        result = run(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], sandbox)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    masks = dict(line.split() for line in result.output_tail.splitlines())
    assert int(masks["SigBlk:"], 16) == 0
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE):
        assert not int(masks["SigIgn:"], 16) & 1 << (number - 1), number


def test_the_output_is_bounded_and_the_end_is_kept(sandbox: Path) -> None:
    """Of a talkative work the last 64 KiB stay, and bytes that are no text do no harm."""
    result = run("chatter", sandbox)
    assert result.ok
    assert len(result.output_tail.encode()) <= OUTPUT_BYTES_MAX + 10
    assert result.output_tail.endswith("line 39999\n\N{REPLACEMENT CHARACTER} end")


def test_no_step_is_lost(sandbox: Path) -> None:
    """Five thousand steps arrive, in order, whatever the pipe holds."""
    steps: list[Step] = []
    start("many_steps", sandbox).wait(steps.append)
    assert [step.name for step in steps] == [f"step {i}" for i in range(5_000)]
    assert [step.number for step in steps] == list(range(1, 5_001))


def test_wrong_steps_are_refused_and_long_names_cut(sandbox: Path) -> None:
    """An empty name or a bad total is a ValueError in the work."""
    result = run("bad_steps", sandbox)
    assert result.ok, result.output_tail
    assert result.last_step == "n" * 500


def test_noise_in_the_progress_pipe_is_ignored(sandbox: Path) -> None:
    """A work that writes into descriptors not its own breaks nothing."""
    result = run("garbage", sandbox)
    assert (result.steps_started, result.last_step, result.exit_code) == (1, "real", 0)


def test_an_error_in_the_callback_kills_the_work(sandbox: Path, all_dead: AllDead) -> None:
    """The error passes, and nothing runs on."""
    process = start("sleeper", sandbox)

    def refuse(_: Step) -> None:
        raise RuntimeError("callback")

    with pytest.raises(RuntimeError, match="callback"):
        process.wait(refuse)
    all_dead([process.pid])


def stop_at_first_step(process: WorkProcess, grace_s: float, times: int = 1) -> WorkResult:
    """Stop the work from `times` other threads as soon as it has begun."""
    threads = [threading.Thread(target=process.stop, args=(grace_s,)) for _ in range(times)]

    def stop(step: Step) -> None:
        if step.number == 1:
            for thread in threads:
                thread.start()

    result = process.wait(stop)
    for thread in threads:
        thread.join()
    process.stop()
    return result


def test_a_work_that_looks_at_cancelled_ends_itself(sandbox: Path) -> None:
    """SIGTERM makes `ctx.cancelled` true, and there is time to tidy up."""
    result = stop_at_first_step(start("obedient", sandbox), grace_s=60.0, times=3)
    assert (sandbox / "tidied").exists()
    assert (result.exit_code, result.stopped, result.ok) == (0, True, False)
    assert (result.steps_started, result.steps_done) == (1, 0)


def test_signals_that_come_within_each_other_do_not_hang_the_work(sandbox: Path) -> None:
    """However many SIGTERMs come, and when, an obedient work ends itself with 0."""
    for _ in range(20):
        result = stop_at_first_step(start("obedient", sandbox), grace_s=60.0, times=4)
        assert (result.exit_code, result.stopped) == (0, True)
        (sandbox / "tidied").unlink()


def test_a_stubborn_work_is_killed_after_the_grace(sandbox: Path) -> None:
    """Ignoring SIGTERM gains no more than the grace."""
    result = stop_at_first_step(start("stubborn", sandbox), grace_s=0.2, times=3)
    assert (result.exit_code, result.stopped) == (-signal.SIGKILL, True)


def test_a_command_is_stopped_by_sigterm(sandbox: Path) -> None:
    """A command has SIGTERM's default, whatever the host ignores."""
    process = start(["sleep", "600"], sandbox)
    threading.Timer(0.3, process.stop, args=(60.0,)).start()
    result = process.wait()
    assert (result.exit_code, result.stopped) == (-signal.SIGTERM, True)


def test_a_work_stopped_at_once_never_begins(sandbox: Path, all_dead: AllDead) -> None:
    """Stopping in the first moment is as good as any, also without a waiting thread."""
    for _ in range(5):
        process = start("sleeper", sandbox)
        process.stop(0.1)
        all_dead([process.pid])
        result = process.wait()
        assert result.stopped
        assert not result.ok


@pytest.mark.parametrize("how", ["stop", "end", "timeout"])
def test_nothing_that_the_work_started_survives(sandbox: Path, all_dead: AllDead, how: str) -> None:
    """Stopped, ended by itself or timed out: children die, those in other sessions too."""
    if how == "end":
        (sandbox / "end").touch()
    process = start("family", sandbox)
    if how == "stop":
        stop_at_first_step(process, grace_s=0.1)
    elif how == "end":
        assert process.wait().exit_code == 0
    else:
        born = threading.Event()
        result = process.wait(lambda _: born.set(), timeout_s=8.0)
        assert born.is_set()
        assert (result.timed_out, result.stopped, result.ok) == (True, True, False)
    pids = [int(pid) for pid in (sandbox / "pids").read_text().split()]
    assert len(pids) == 3
    all_dead([*pids, process.pid])


HOST = """
import sys, threading
sys.path[:] = {sys_path!r}
from minutebook.actors.work.process import WorkProcess
from minutebook.actors.work.spec import describe_work
def begin():
    global process
    process = WorkProcess.start(describe_work("plan_works:family"), sandbox=".", plan_id="p")
thread = threading.Thread(target=begin)
thread.start()
thread.join()  # the thread that started the work may end: the work goes on
if {fork}:
    import os, time
    if os.fork() == 0:  # inherits the pipes, and lives on
        time.sleep(600)
process.wait(lambda step: print(step.name, flush=True))
"""


@pytest.mark.parametrize("fork", [False, True])
def test_nothing_runs_on_after_kill_9_of_the_host(
    sandbox: Path, all_dead: AllDead, fork: bool
) -> None:
    """The host dies without a word: worker, children and escaped children die too."""
    code = HOST.format(sys_path=sys.path, fork=fork)
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=sandbox, stdout=subprocess.PIPE, start_new_session=True
    ) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == b"born\n"
        host.kill()
        pids = [int(pid) for pid in (sandbox / "pids").read_text().split()]
        try:
            all_dead(pids)
        finally:
            os.killpg(host.pid, signal.SIGKILL)  # the host's own fork


def test_a_supervisor_that_is_killed_takes_the_work_along(sandbox: Path, all_dead: AllDead) -> None:
    """Without its supervisor the worker does not run on, and the parent is told."""
    process = start("sleeper", sandbox)
    result = process.wait(lambda _: os.kill(process.pid, signal.SIGKILL))
    assert (result.exit_code, result.ok) == (-signal.SIGKILL, False)
    all_dead([process.pid])


def test_a_worker_dies_with_its_supervisor_when_the_host_is_gone_too(
    sandbox: Path, all_dead: AllDead
) -> None:
    """Host and supervisor killed before either could act: the kernel ends the worker."""
    code = HOST.format(sys_path=sys.path, fork=False)
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=sandbox, stdout=subprocess.PIPE
    ) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == b"born\n"
        worker, *others = (int(pid) for pid in (sandbox / "pids").read_text().split())
        status = Path(f"/proc/{worker}/stat").read_text()
        supervisor = int(status.rpartition(")")[2].split()[1])
        os.kill(supervisor, signal.SIGSTOP)
        host.kill()
        host.wait()
        os.kill(supervisor, signal.SIGKILL)
        try:
            all_dead([worker])
        finally:
            for pid in (worker, *others):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_a_host_that_ignores_and_blocks_signals_changes_nothing(sandbox: Path) -> None:
    """SIGCHLD ignored, SIGTERM blocked: the work ends, and stops, as ever."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    try:
        assert run("leave", sandbox).exit_code == 7
        assert stop_at_first_step(start("obedient", sandbox), grace_s=60.0).exit_code == 0
    finally:
        signal.signal(signal.SIGCHLD, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


SCRIPT = """
import sys
sys.path[:] = {sys_path!r}
from minutebook.actors.work.process import WorkProcess
from minutebook.actors.work.spec import describe_work
print("loaded as", __name__)
def work(ctx):
    print("worked as", __name__, sys.argv)
if {guard}:
    result = WorkProcess.start(describe_work(work), sandbox={sandbox!r}, plan_id="p").wait()
    print("result", result.exit_code, result.error)
    print(result.output_tail)
"""


def run_script(works: Path, sandbox: Path, guard: str, *how: str) -> str:
    script = works / "host_script.py"
    code = textwrap.dedent(SCRIPT)
    script.write_text(code.format(sys_path=sys.path, guard=guard, sandbox=str(sandbox)))
    command = [sys.executable, *(how or (str(script),)), "--password=hunter2"]
    return subprocess.run(command, cwd=works, capture_output=True, text=True, check=True).stdout


def test_a_function_of_the_hosts_script_works(works: Path, sandbox: Path) -> None:
    """The script is run again under another name, without its main part and arguments."""
    output = run_script(works, sandbox, '__name__ == "__main__"')
    assert "result 0 None" in output
    assert "loaded as __minutebook_main__" in output
    assert f"worked as __minutebook_main__ ['{works / 'host_script.py'}']" in output


def test_a_script_run_as_a_module_works(works: Path, sandbox: Path) -> None:
    """`python -m host_script` is imported by its name."""
    output = run_script(works, sandbox, '__name__ == "__main__"', "-m", "host_script")
    assert "result 0 None" in output
    assert "worked as host_script [" in output
    assert "hunter2" not in output


def test_a_script_without_a_main_guard_is_told_so(works: Path, sandbox: Path) -> None:
    """It does not start itself over and over."""
    output = run_script(works, sandbox, "True")
    assert "result 1" in output
    assert '__name__ == "__main__"' in output


def test_a_flood_on_both_streams_is_bounded_and_its_end_is_kept(sandbox: Path) -> None:
    """100 MB each: neither memory nor disk takes them, and the last words are there."""
    flood = "head -c 100000000 /dev/zero | tr '\\0' x"
    command = ["sh", "-c", f"({flood}) & ({flood}) >&2; wait; echo; echo the end"]
    tracemalloc.start()
    try:
        with start(command, sandbox) as process:
            result = process.wait()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.ok
    assert result.output_tail.endswith("x\nthe end\n")
    assert len(result.output_tail) == OUTPUT_BYTES_MAX
    assert peak < 20 * OUTPUT_BYTES_MAX
    assert list(sandbox.iterdir()) == []


def test_what_the_context_notes_arrives_in_order_and_is_not_taken_from_garbage(
    sandbox: Path,
) -> None:
    notes: list[tuple[str, dict[str, Any]]] = []
    with start("noting", sandbox) as process:
        result = process.wait(on_note=lambda kind, fields: notes.append((kind, fields)))
    assert (result.ok, result.error) == (True, None)
    assert [kind for kind, _ in notes] == ["decision", "tool", "tool"]
    assert notes[0][1]["question"] == "q \ud800"
    assert notes[1][1].keys() == {"tool_name", "arguments", "seconds", "ok"}
    assert (notes[2][1]["exit_code"], notes[2][1]["ok"]) == (3, False)
