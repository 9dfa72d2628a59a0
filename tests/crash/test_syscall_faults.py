"""One system call of the writer fails: nothing acknowledged is lost, nothing is corrupt."""

from __future__ import annotations

import pytest

from tests.crash.fault_matrix import ERRORS, SCENARIOS, find_sites, run_one
from tests.crash.injection import Site, missing_tool

WHY_NOT = missing_tool()

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

SAMPLE = {
    ("fdatasync", "ledger-wal"): "EIO",
    ("pwrite64", "ledger-wal"): "ENOSPC",
    ("fallocate", "spare segment"): "ENOSPC",
    ("openat", "journal owner"): "EIO",
}
"""The last call of each; four runs are what a short test has time for."""


def check(scenario: str, site: Site, error: str) -> None:
    result = run_one(scenario, site, error)
    assert result.problem is None, result
    assert result.hits > 0, result


def test_a_sample_of_calls_may_fail() -> None:
    last = {(site.syscall, site.kind): site for site in find_sites("new")}
    for place, error in SAMPLE.items():
        check("new", last[place], error)


def test_a_lock_that_cannot_be_let_go_of_keeps_out_nobody() -> None:
    unlocking = next(
        site
        for site in find_sites("new")
        if (site.syscall, site.kind, site.nth) == ("flock", "ledger.lock", 2)
    )
    check("new", unlocking, "EIO")


def test_a_journal_directory_that_cannot_be_listed_is_not_an_empty_one() -> None:
    listed = next(
        site
        for site in find_sites("recovering")
        if (site.syscall, site.kind, site.nth) == ("openat", "journal directory", 1)
    )
    check("recovering", listed, "EIO")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_call_may_fail(scenario: str, error: str) -> None:
    for site in find_sites(scenario):
        check(scenario, site, error)
