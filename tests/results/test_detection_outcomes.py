"""What one run shows about a bug, or about the correct system."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.history import History
from harness.run.detection import found_by, outcome_of, subjects
from results.record.result import CheckResult, Result
from tests.helpers.synthetic import concluded, steady

HELD, MISSED, UNTOLD = "p50 < 50ms", "p50 < 1ms", "recovery < 2s"


def result(*checks: bool | None, slos: tuple[str, ...] = (HELD,)) -> Result:
    """A run with these verdicts of its checks, `check0`, `check1` and so on."""
    found = tuple(CheckResult(name=f"check{number}", valid=valid, why="") for number, valid in enumerate(checks))
    return concluded(History.of(steady()), slos=slos, checks=found)


@pytest.mark.parametrize(
    ("run", "caught_by", "outcome"),
    [
        (result(False, True), "check0", "caught"),
        (result(False, None), "check0", "caught"),
        (result(True, False), "check0", "missed"),
        (result(True, None), "check0", "missed"),
        (result(None, False), "check0", "unknown"),
        (result(True, slos=(MISSED,)), MISSED, "caught"),
        (result(False, slos=(MISSED,)), MISSED, "caught"),
        (result(True, slos=(MISSED, HELD)), HELD, "missed"),
        (result(True, slos=(UNTOLD,)), UNTOLD, "unknown"),
        (result(True), "no such check", "unknown"),
    ],
)
def test_a_bug_is_caught_by_its_own_check_alone(run: Result, caught_by: str, outcome: str) -> None:
    assert outcome_of(run, caught_by) == outcome


@pytest.mark.parametrize(
    ("found", "outcome", "of_the_correct_system"),
    [
        ((False, True), "caught", "false alarm"),
        ((False, None), "caught", "false alarm"),
        ((None, True), "unknown", "unknown"),
        ((True, True), "missed", "clean"),
    ],
)
def test_a_check_that_a_drill_has_with_two_bounds_is_caught_by_either(
    found: tuple[bool | None, bool | None], outcome: str, of_the_correct_system: str
) -> None:
    for pair in (found, found[::-1]):
        run = concluded(
            History.of(steady()), slos=(), checks=tuple(CheckResult(name="balanced", valid=valid, why="") for valid in pair)
        )
        assert outcome_of(run, "balanced") == outcome
        assert outcome_of(run, None) == of_the_correct_system
        busy = outcome_of(run, None, waited_share=0.6)
        assert busy == ("false alarm" if of_the_correct_system == "false alarm" else "unknown")


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (result(True, True), "clean"),
        (result(True, False), "false alarm"),
        (result(False, None), "false alarm"),
        (result(True, slos=(MISSED,)), "false alarm"),
        (result(None, slos=(MISSED,)), "false alarm"),
        (result(True, None), "unknown"),
        (result(True, slos=(UNTOLD,)), "unknown"),
    ],
)
def test_whatever_the_correct_system_sets_off_is_a_false_alarm(run: Result, outcome: str) -> None:
    assert outcome_of(run, None) == outcome


@pytest.mark.parametrize("name", ["faults_acted", "generator_kept_up", "guard_held", None])
@pytest.mark.parametrize(
    ("run", "caught_by", "outcome"),
    [
        (result(False), "check0", "unknown"),
        (result(True), "check0", "unknown"),
        (result(True, slos=(MISSED,)), MISSED, "unknown"),
        (result(True, slos=(MISSED,)), None, "unknown"),
        (result(True), None, "unknown"),
        (result(False), None, "false alarm"),
    ],
)
def test_a_run_that_did_not_go_as_planned_counts_for_nothing_but_a_failed_check_of_the_correct_system(
    name: str | None, run: Result, caught_by: str | None, outcome: str
) -> None:
    """None: its processes waited too long for a CPU."""
    if name is None:
        assert outcome_of(run, caught_by, waited_share=0.6) == outcome
        assert outcome_of(run, caught_by, waited_share=0.1) != "unknown"
    else:
        spoilt = msgspec.structs.replace(run, checks=(*run.checks, CheckResult(name=name, valid=None, why="")))
        assert outcome_of(spoilt, caught_by) == outcome


def test_all_that_a_run_found_is_named() -> None:
    assert found_by(result(False, True, slos=(HELD, MISSED))) == ("check0", MISSED)


def test_the_correct_system_stands_before_the_bugs_of_each_drill() -> None:
    rows = subjects("quorum", ["early-ack", "read-one", "last-wins"])
    assert [(row.drill, row.bug_name) for row in rows] == [
        ("quorum/partitioned", None),
        ("quorum/partitioned", "read-one"),
        ("quorum/slow_link", None),
        ("quorum/slow_link", "early-ack"),
        ("quorum/slow_link", "last-wins"),
    ]
    assert {row.system for row in subjects(None, ["no-breaker"])} == {"Featured", "Regions", "Serving"}
