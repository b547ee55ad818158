"""Every known-bad variant of Serving is caught: which drill finds it, and by what."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.run.catalog import find_drill
from harness.run.runner import run, run_spec_of
from results.record.result import Result
from systems.serving import BUGS

CAUGHT = {
    "swapped-answers": ("serving/healthy", "predictions_correct"),
    "stale-model": ("serving/healthy", "predictions_correct"),
    "never-recovers": ("serving/replica_crash", "replicas_return"),
    "dead-checker": ("serving/replica_crash", "replicas_return"),
    "same-replica-retry": ("serving/replica_partitioned", "availability >= 99.5%"),
    "colliding-cache": ("serving/healthy", "predictions_correct"),
    "no-retry": ("serving/replica_partitioned", "availability >= 99.5%"),
    "drops-on-retry": ("serving/replica_partitioned", "availability >= 99.5%"),
    "no-timeout": ("serving/replica_partitioned", "p99 < 500ms"),
    "no-verify": ("serving/bad_deploy_rolled_back", "replicas_return"),
    "no-rollback": ("serving/bad_deploy_rolled_back", "replicas_return"),
    "batch-misaligned": ("serving/healthy", "predictions_correct"),
    "shallow-check": ("serving/weights_corrupted", "corruption_contained"),
    "no-repair": ("serving/weights_corrupted", "replicas_return"),
    "blind-choice": ("serving/slow_replica", "p95 < 45ms"),
    "ejects-all": ("serving/brownouts", "availability >= 62%"),
    "no-breaker": ("serving/flaky_replica", "availability >= 97%"),
    "breaker-never-closes": ("serving/slow_in_turn", "replicas_return"),
    "breaker-unbounded-probes": ("serving/slow_in_turn", "p90 < 120ms"),
    "breaker-sees-no-failures": ("serving/flaky_replica", "availability >= 97%"),
    "breaker-sees-no-slowness": ("serving/slow_in_turn", "p90 < 120ms"),
    "breakers-leave-nobody": ("serving/brownouts", "availability >= 62%"),
    "sheds-nothing": ("serving/overload", "availability >= 33%"),
    "no-retry-budget": ("serving/retry_storm", "recovery < 5s"),
    "stale-cache": ("serving/model_reloaded", "one_version_each"),
    "poisoned-cache": ("serving/cached_weights_corrupted", "corruption_contained"),
    "hedges-at-once": ("serving/hedged", "p99 < 80ms"),
    "hedges-nothing": ("serving/hedged", "p99 < 80ms"),
    "ignores-deadlines": ("serving/deadlines", "availability >= 55%"),
    "deadline-restarts": ("serving/deadlines", "availability >= 55%"),
    "ignores-health": ("serving/replica_partitioned", "p95 < 240ms"),
}
"""The drill that catches each bug, and the check or SLO that does not hold in it; what gives no wrong answer misses an SLO."""

QUICK = list(CAUGHT)[:5]
"""Those of every test run; the others are for the night."""


def drilled(drill: str, bug: str | None, seed: int, runs: Path) -> Result:
    settings = [] if bug is None else [f"system.bug={bug}"]
    return run(run_spec_of(find_drill(drill, settings), seed, settings, "embedded"), runs=runs).result


def broken(result: Result) -> set[str]:
    """The checks that found something wrong and the SLOs that were missed."""
    checks = {check.name for check in result.checks if check.valid is False}
    return checks | {slo.text for slo in result.slos if slo.ok is False}


def assert_caught(bug: str, seed: int, runs: Path) -> None:
    """Its drill's own check finds the bug; where not, what each check and SLO said is shown."""
    drill, found_by = CAUGHT[bug]
    result = drilled(drill, bug, seed, runs)
    assert found_by in broken(result), "\n".join(map(str, (*result.checks, *result.slos)))


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
    assert broken(drilled(drill, None, seed, tmp_path)) == set()
