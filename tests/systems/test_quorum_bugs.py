"""Every known-bad variant of Quorum is caught: which drill finds it, and by what check."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.run.catalog import find_drill
from harness.run.runner import run, run_spec_of
from results.record.result import Result
from systems.quorum import BUGS

CAUGHT = {
    "read-one": ("quorum/partitioned", "linearizable"),
    "stale-counter": ("quorum/coordinator_killed", "linearizable"),
    "no-read-repair": ("quorum/slow_link", "linearizable"),
    "early-ack": ("quorum/slow_link", "linearizable"),
    "shared-version": ("quorum/jittery_links", "linearizable"),
    "retry-counts": ("quorum/partitioned", "linearizable"),
    "timeout-failed": ("quorum/flapping", "linearizable"),
    "forgetful": ("quorum/all_killed", "linearizable"),
    "last-wins": ("quorum/slow_link", "linearizable"),
    "wall-clock": ("clock/skewed", "linearizable"),
    "no-sync": ("disk/power_lost", "linearizable"),
    "retry-sync": ("disk/sync_fails", "linearizable"),
    "skip-damaged": ("disk/bits_flipped", "linearizable"),
}
"""The drill that catches each bug, and the check that finds it."""

QUICK = list(CAUGHT)[:4]
"""Those of every test run; the others are for the night."""


def drilled(drill: str, bug: str | None, seed: int, runs: Path) -> Result:
    settings = [] if bug is None else [f"system.bug={bug}"]
    return run(run_spec_of(find_drill(drill, settings), seed, settings, "embedded"), runs=runs).result


def wrong(result: Result) -> set[str]:
    """The checks that found something wrong."""
    return {check.name for check in result.checks if check.valid is False}


def assert_caught(bug: str, seed: int, runs: Path) -> None:
    """Its drill's own check finds the bug; where not, what each check said is shown."""
    drill, found_by = CAUGHT[bug]
    result = drilled(drill, bug, seed, runs)
    assert found_by in wrong(result), "\n".join(map(str, result.checks))


def test_no_bug_is_left_out() -> None:
    assert set(CAUGHT) == set(BUGS)


@pytest.mark.parametrize("bug", [pytest.param(bug, marks=[] if bug in QUICK else pytest.mark.nightly) for bug in CAUGHT])
def test_is_caught(bug: str, tmp_path: Path) -> None:
    assert_caught(bug, 1, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 21))
@pytest.mark.parametrize("bug", CAUGHT)
def test_is_caught_whatever_the_seed(bug: str, seed: int, tmp_path: Path) -> None:
    assert_caught(bug, seed, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize("drill", sorted({drill for drill, _ in CAUGHT.values()}))
def test_nothing_is_found_where_nothing_is_wrong(drill: str, seed: int, tmp_path: Path) -> None:
    assert wrong(drilled(drill, None, seed, tmp_path)) == set()
