"""Featured: its topology, what it refuses, and which drill finds which of its bugs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.system import System, links_of
from harness.run.catalog import find_drill
from harness.run.runner import run, run_spec_of
from results.record.result import Result
from systems.featured import BUGS, Featured
from workloads.scores import Scores

SLOW = "featured/slow_features"
CAUGHT = {
    "no-breaker": (SLOW, "slo"),
    "never-closes": (SLOW, "fail"),
    "opens-at-once": ("featured/few_too_slow", "slo"),
    "unmarked-fallback": (SLOW, "fail"),
}
"""The drill that catches each bug, and its verdict."""


def drilled(drill: str, bug: str | None, runs: Path, seed: int = 1) -> Result:
    settings = [] if bug is None else [f"system.bug={bug}"]
    return run(run_spec_of(find_drill(drill, settings), seed, settings, "embedded"), runs=runs).result


def test_each_replica_has_a_link_of_its_own_to_the_features() -> None:
    featured = Featured(replicas=2)
    assert isinstance(featured, System)
    assert {link.name for link in links_of(featured)} == {"client>r1", "client>r2", "r1>features", "r2>features"}
    assert restore(describe(featured)) == featured


@pytest.mark.parametrize(("settings", "words"), [({"replicas": 0}, "replicas=0"), ({"bug": "no-braker"}, "no-breaker")])
def test_what_makes_no_sense_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Featured(**settings)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="users=0"):
        Scores(users=0)


def test_the_same_seed_asks_the_same() -> None:
    first, second = (list(islice(Scores().calls(Random(3)), 50)) for _ in range(2))
    assert first == second
    assert len({call.key for call in first}) > 1


def test_no_bug_is_left_out() -> None:
    assert set(CAUGHT) == set(BUGS)


@pytest.mark.parametrize(
    "bug", [bug if bug == "unmarked-fallback" else pytest.param(bug, marks=pytest.mark.nightly) for bug in CAUGHT]
)
def test_each_bug_is_caught(bug: str, tmp_path: Path) -> None:
    drill, verdict = CAUGHT[bug]
    result = drilled(drill, bug, tmp_path)
    assert result.verdict == verdict
    assert {check.name for check in result.checks if check.valid is False} <= {"one_of_the_right"}


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("drill", [SLOW, "featured/features_killed", "featured/few_too_slow"])
def test_nothing_is_found_where_nothing_is_wrong(drill: str, seed: int, tmp_path: Path) -> None:
    assert [check.name for check in drilled(drill, None, tmp_path, seed).checks if check.valid is False] == []
