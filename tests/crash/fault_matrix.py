"""Every system call of a writer fails once, and nothing is lost: the matrix and its table.

``python -m tests.crash.fault_matrix`` runs all of it, and writes the table into README.md.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.journal import Journal
from tests.contract.trail import Counted, check_trail, counted, entries_of, new_encoder
from tests.crash.injection import LEDGER_NAME, Site, missing_tool, sites, trace

ERRORS: Final = ("EIO", "ENOSPC")

SCENARIOS: Final = ("new", "recovering")
"""A ledger that is made; one that is there, beside the journal of a process that died."""

DEAD: Final = 5
"""Events in that journal."""

README: Final = Path(__file__).with_name("README.md")
BEGIN: Final = "<!-- results: begin -->"
END: Final = "<!-- results: end -->"


class Result(NamedTuple):
    """What became of one run with a fault."""

    scenario: str
    site: Site
    error: str
    hits: int
    """How many calls failed."""
    outcome: str
    """How the host learned of it: ``open refused``, ``told so`` or ``unnoticed``."""
    problem: str | None
    """What was wrong afterwards; None when all was there."""
    said: str
    """What the host printed of errors."""


def prepare(scenario: str, directory: Path) -> None:
    """Make what the host finds."""
    if scenario == "new":
        return
    path = directory / LEDGER_NAME
    with AuditSystem.open(path) as system:
        system.audit.tell(Counted(who="before", number=0))
    journal = Journal(directory / f"{LEDGER_NAME}.journal.d", "0d" * 16, event_bytes_max=256 * 1024)
    for number in range(DEAD):
        journal.append(new_encoder().encode_head(Counted(who="dead", number=number)))
    journal.leave("it died.")


def host(directory: Path) -> list[str]:
    """Return the command of the host."""
    return [sys.executable, "-m", "tests.crash.faulted", str(directory / LEDGER_NAME)]


def find_sites(scenario: str) -> list[Site]:
    """Run the host once without a fault, and choose from its calls."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name).resolve()
        prepare(scenario, directory)
        run = trace(host(directory), directory)
        assert run.returncode == 0, run.stderr
        return sites(run.calls, directory)


def run_one(scenario: str, site: Site, error: str) -> Result:
    """Run the host with one fault, and look at what it leaves."""
    # Batches differ a little from run to run, so the last call may come earlier.
    nth = site.nth
    while True:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name).resolve()
            prepare(scenario, directory)
            run = trace(host(directory), directory, site._replace(nth=nth), error)
            hits = sum(call.injected for call in run.calls)
            if hits == 0 and nth > 1:
                made = Counter(call.thread for call in run.calls)
                nth = min(nth - 1, max(made.values(), default=1))
                continue
            said = [json.loads(line) for line in run.stdout.splitlines()]
            problem = find_problem(scenario, directory, run.returncode, said)
            if problem is not None:
                problem += f"\n{run.stderr}"
        errors = [f"{line['at']}: {line['error']}" for line in said if "error" in line]
        if run.returncode == 3:
            outcome = "open refused"
        else:
            outcome = "told so" if errors else "unnoticed"
        return Result(scenario, site, error, hits, outcome, problem, "; ".join(errors))


def find_problem(
    scenario: str, directory: Path, returncode: int | None, said: list[dict[str, Any]]
) -> str | None:
    """Say what is missing, doubled, changed or corrupt; opens the ledger again without faults."""
    if returncode not in (0, 3):
        return "it hung" if returncode is None else f"it ended with {returncode}"
    path = directory / LEDGER_NAME
    try:
        with AuditSystem.open(path) as system:
            system.audit.tell(Counted(who="after", number=0))
        entries = entries_of(path)
        check_trail(entries)
        database = apsw.Connection(str(path))
        assert database.pragma("integrity_check") == "ok"
        database.close()
        there = Counter(counted(entries))
        assert max(there.values()) == 1
        if scenario == "recovering":
            assert {("before", 0), *(("dead", number) for number in range(DEAD))} <= set(there)
        assert ("after", 0) in there
        assert [entry.type for entry in entries if entry.type == "audit.gap"] == []
        assert not list(directory.glob("*.journal.d/*.damaged"))
        for line in said:
            if "told" in line:
                assert there["host", line["told"]] == 1, f"{line} is missing"
            elif "receipt" in line:
                entry = entries[line["index"]]
                assert (entry.id, entry.leaf_hash.hex()) == (line["receipt"], line["hash"])
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
        return f"{type(error).__name__}: {error}"
    return None


def table(results: Iterable[Result]) -> str:
    """Return the results, a line for each call and kind of file."""
    rows: dict[tuple[str, str], dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        rows[result.site.syscall, result.site.kind][result.error].append(result)
    lines = ["| call | file | faults | " + " | ".join(ERRORS) + " |", "|---|---|---|---|---|"]
    for (syscall, kind), by_error in sorted(rows.items()):
        faults = sum(len(found) for found in by_error.values())
        cells = [_cell(by_error[error]) for error in ERRORS]
        lines.append(f"| `{syscall}` | {kind} | {faults} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(results: list[Result]) -> str:
    failed = sum(result.problem is not None for result in results)
    outcomes = Counter(result.outcome for result in results if result.problem is None)
    said = [f"{outcome} {count}" for outcome, count in sorted(outcomes.items())]
    return ", ".join([*said, f"**FAILED {failed}**"] if failed else said)


def main() -> int:
    """Run the matrix; return how many failed."""
    why_not = missing_tool()
    if why_not is not None:
        print(why_not)
        return 1
    wanted = [
        (scenario, site, error)
        for scenario in SCENARIOS
        for site in find_sites(scenario)
        for error in ERRORS
    ]
    only = sys.argv[1:]
    if only:
        wanted = [each for each in wanted if all(word in str(each) for word in only)]
    print(f"{len(wanted)} faults")
    results = []
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda each: run_one(*each), wanted):
            results.append(result)
            if result.problem or result.hits == 0:
                print(result._replace(site=result.site._replace(paths=())), flush=True)
    failed = sum(result.problem is not None for result in results)
    text = table(results)
    print(text)
    print(f"{len(results)} faults, {failed} failed, {sum(not r.hits for r in results)} not hit")
    if not only:
        head, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        _, _, tail = rest.partition(END)
        README.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main())
