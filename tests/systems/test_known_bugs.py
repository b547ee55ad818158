"""The known bugs of all systems: each has a complete description, and the check that it names catches it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

import msgspec
import pytest
from _pytest.mark import ParameterSet

from harness.model.bug import Bug, HasBugs
from harness.run.catalog import bug_catalogs, checkers, find_drill
from harness.run.detection import MAX_WAITED, run_trial, subjects
from harness.run.judging import ALWAYS
from harness.run.observer import NullObserver
from results.record.detection import Trial

QUICK = 1
"""How many bugs of each system CI drills; the others are for the night."""
SEEDS = range(1, 11)
"""A bug counts as caught by its drill if it is with one of these."""
NIGHTLY_SEEDS = range(2, 21)

TOO_BUSY = "this machine is too busy to judge a drill: run the test alone"

CATALOGS = bug_catalogs()
ALL = [(system, bug) for system, known in CATALOGS.items() for bug in known]
DRILLS = sorted({(system, bug.caught_by[0]) for system, known in CATALOGS.items() for bug in known.values()})
CHECKERS = checkers().values()

each_bug = pytest.mark.parametrize(("system", "bug"), ALL)


def bug_of(system: str, bug: str) -> Bug[object]:
    return CATALOGS[system][bug]


def test_every_system_with_known_bugs_is_here() -> None:
    assert {"Quorum", "Serving", "Featured"} <= set(CATALOGS)
    assert all(len(known) >= QUICK for known in CATALOGS.values())


@each_bug
def test_a_bug_says_in_a_line_what_is_wrong_and_changes_one_part(system: str, bug: str) -> None:
    variant, correct = bug_of(system, bug).variant, CATALOGS[system].variant(None)
    assert bug_of(system, bug).what
    assert "\n" not in bug_of(system, bug).what
    assert type(variant) is type(correct)
    parts = [field.name for field in dataclasses.fields(cast("type", type(variant)))]
    assert sum(getattr(variant, part) != getattr(correct, part) for part in parts) == 1


@pytest.mark.parametrize("system", CATALOGS)
def test_no_two_bugs_of_a_system_are_the_same(system: str) -> None:
    variants = [bug.variant for bug in CATALOGS[system].values()]
    assert len(set(variants)) == len(variants)


@cache
def judged_in(drill: str) -> set[str]:
    """The names of the checks and the texts of the SLOs of a drill."""
    found = find_drill(drill).drill
    return {check.__name__ for check in (*found.checks, *ALWAYS)} | set(found.slos)


@each_bug
def test_the_drill_that_catches_a_bug_has_its_system_and_its_check(system: str, bug: str) -> None:
    drill, check = bug_of(system, bug).caught_by
    correct = find_drill(drill).drill.system
    assert isinstance(correct, HasBugs)
    assert correct.bug is None
    assert correct.bugs is CATALOGS[system]
    assert check in judged_in(drill)


def trial_of(system: str, drill: str, bug: str | None, seed: int, runs: Path) -> Trial | None:
    """One run, as `harness detect` makes it. None if the machine was too busy for the run to say anything.

    A failed check proves a bug however busy the machine was; a missed SLO does not.
    """
    [subject] = [row for row in subjects(system, []) if (row.drill, row.bug_name) == (drill, bug)]
    trial = run_trial(subject, seed, subject.spec(seed, "embedded"), runs, NullObserver())
    if subject.caught_by in trial.found and subject.caught_by in {check.__name__ for check in CHECKERS}:
        return msgspec.structs.replace(trial, outcome="caught")
    busy = (trial.waited_share or 0) > MAX_WAITED or "generator_kept_up" in trial.why
    return None if trial.outcome == "unknown" and busy else trial


def assert_all(trials: Mapping[int, Trial | None], outcome: str) -> None:
    judged = {seed: trial for seed, trial in trials.items() if trial is not None}
    if not judged:
        pytest.skip(TOO_BUSY)
    others = [f"seed {seed}: {trial.outcome}, {trial.why}" for seed, trial in judged.items() if trial.outcome != outcome]
    assert not others, "\n".join(others)


def with_the_night_marked() -> list[ParameterSet]:
    quick = {(system, bug) for system, known in CATALOGS.items() for bug in list(known)[:QUICK]}
    return [pytest.param(*each, marks=pytest.mark.slow if each in quick else pytest.mark.nightly) for each in ALL]


@pytest.mark.parametrize(("system", "bug"), with_the_night_marked())
def test_is_caught_within_ten_seeds(system: str, bug: str, tmp_path: Path) -> None:
    drill, _ = bug_of(system, bug).caught_by
    missed: list[str] = []
    for seed in SEEDS:
        trial = trial_of(system, drill, bug, seed, tmp_path / str(seed))
        if trial is None:
            pytest.skip(TOO_BUSY)
        if trial.outcome == "caught":
            return
        missed.append(trial.why)
    pytest.fail("\n".join(missed))


@pytest.mark.nightly
@each_bug
def test_is_caught_whatever_the_seed(system: str, bug: str, tmp_path: Path) -> None:
    drill, _ = bug_of(system, bug).caught_by
    trials = {seed: trial_of(system, drill, bug, seed, tmp_path / str(seed)) for seed in NIGHTLY_SEEDS}
    assert_all(trials, "caught")


@pytest.mark.nightly
@pytest.mark.parametrize(("system", "drill"), DRILLS)
def test_the_correct_system_sets_off_no_alarm(system: str, drill: str, tmp_path: Path) -> None:
    trials = {seed: trial_of(system, drill, None, seed, tmp_path / str(seed)) for seed in (1, *NIGHTLY_SEEDS)}
    assert_all(trials, "clean")
