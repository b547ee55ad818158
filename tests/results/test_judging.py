"""Judging nights: what it finds in made-up histories, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from results.record.nights.figures import STARTS
from results.trends.findings import Findings
from results.trends.judging import Options, judge
from results.trends.scales import scale_of
from results.trends.series import Better, Metric, Series
from tests.helpers.effort import cases
from tests.helpers.simulated_nights import QUIET, relative, series_of


def made(count: int, nights: int, *, seed: int, level: float = 10.0, runs: int = 5) -> np.ndarray:
    """Values of series × nights × runs around a level."""
    return np.asarray(level * np.exp(relative(QUIET, (count, nights, runs), np.random.default_rng(seed))))


RARELY = Options(false_alarms_per_year=0.001)
"""For properties that have to hold whatever the noise."""


def told(findings: Findings) -> list[tuple[str, str, str]]:
    return [(change.series.drill, change.kind, change.night) for change in findings.changes]


def test_how_often_processes_were_started_is_compared_as_it_is() -> None:
    scale = scale_of(Metric(name=STARTS.name, unit=STARTS.unit, better=STARTS.better))
    assert scale.transform == "linear"
    assert [scale.counts(2.0, after) for after in (2.4, 2.5)] == [False, True]


def test_a_step_is_found_in_its_night_and_in_no_other_series() -> None:
    values = made(20, 70, seed=1)
    values[7, 60:] *= 1.08
    found = judge([series_of(one, drill=f"d/{at}") for at, one in enumerate(values)])
    assert told(found) == [("d/7", "shift", "night-0060")]
    change = found.changes[0]
    assert change.worse
    assert change.interval[0] < 0.08 < change.interval[1]
    assert change.seen <= "night-0064"


def test_a_leak_is_a_drift_and_one_finding_however_long_it_goes_on() -> None:
    values = made(1, 90, seed=2, level=150)[0]
    values[60:] += np.arange(1, 31)[:, None] * 1.5
    found = judge([series_of(values, name="memory", unit="MiB")])
    assert [change.kind for change in found.changes] == ["drift"]
    assert abs(int(found.changes[0].night[-4:]) - 60) <= 1
    assert found.changes[0].after == pytest.approx(195, rel=0.03)


def test_the_sixth_night_may_already_be_a_jump() -> None:
    values = made(1, 6, seed=3)[0]
    assert not judge([series_of(values)]).changes
    values[5] *= 4
    found = judge([series_of(values)])
    assert told(found) == [("made/up", "jump", "night-0005")]
    assert found.regressed


@pytest.mark.parametrize(("name", "unit", "factor"), [("p50", "ms", 1.08), ("rate", "1/s", 1.08), ("rate", "1/s", 1 / 1.08)])
def test_which_direction_is_worse_depends_on_the_metric(name: str, unit: str, factor: float) -> None:
    values = made(1, 70, seed=4)[0]
    values[60:] *= factor
    better: Better = "lower" if unit == "ms" else "higher"
    found = judge([series_of(values, name=name, unit=unit, better=better)])
    assert [change.worse for change in found.changes] == [(factor > 1) == (better == "lower")]


def test_a_share_is_compared_by_what_is_missing() -> None:
    missing = np.exp(np.random.default_rng(5).normal(np.log(5e-4), 0.15, (70, 5)))
    missing[60:] += 1e-3
    found = judge([series_of(1 - missing, name="availability", unit="", better="higher")])
    assert [(change.kind, change.night, change.worse) for change in found.changes] == [("shift", "night-0060", True)]
    assert found.changes[0].effect == pytest.approx(1e-3 / 6e-4, rel=0.2)


@given(st.integers(1, 40), st.floats(0, 1e6))
def test_nothing_is_found_in_constant_data(nights: int, value: float) -> None:
    assert not judge([series_of(np.full((nights, 3), value))]).changes


@settings(max_examples=cases(20))
@given(st.integers(10, 39), st.floats(0.7, 1.3), st.integers(0, 99))
def test_a_lone_bad_night_is_no_change(night: int, factor: float, seed: int) -> None:
    values = made(1, 40, seed=seed)[0]
    values[night] *= factor
    assert not judge([series_of(values)], options=RARELY).changes


def test_two_bad_nights_that_are_over_are_not_reported() -> None:
    values = made(1, 60, seed=6)[0]
    values[40:42] *= 3
    assert judge([series_of(values[:41])]).regressed
    assert told(judge([series_of(values[:42])])) == [("made/up", "jump", "night-0040")]
    assert not judge([series_of(values[:43])]).changes
    assert not judge([series_of(values)]).changes


@settings(max_examples=cases(10))
@given(st.integers(0, 99), st.randoms())
@example(37, Random(1))
def test_the_same_series_give_the_same_findings_in_any_order(seed: int, random: Random) -> None:
    values = made(6, 50, seed=seed)
    values[2, 30:] *= 1.2
    series = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]
    first = judge(series, seed=seed)
    assert judge(series, seed=seed) == first
    shuffled: list[Series] = list(series)
    random.shuffle(shuffled)
    again = judge(shuffled, seed=seed)
    assert again.changes == first.changes
    assert {one.series.drill: one.smallest for one in again.judged} == {one.series.drill: one.smallest for one in first.judged}


@settings(max_examples=cases(10))
@given(st.integers(0, 99), st.floats(0.1, 1000))
def test_another_unit_of_a_latency_changes_nothing(seed: int, factor: float) -> None:
    values = made(1, 50, seed=seed)[0] * 100
    values[40:] *= 1.1
    found = judge([series_of(values)])
    scaled = judge([series_of(values * factor)])
    assert told(scaled) == told(found)
    for one, other in zip(found.changes, scaled.changes, strict=True):
        assert other.effect == pytest.approx(one.effect, rel=1e-6)


@settings(max_examples=cases(10))
@given(st.integers(0, 99))
def test_what_was_told_one_morning_is_the_same_on_later_pages(seed: int) -> None:
    values = made(4, 60, seed=seed)
    values[1, 30:] *= 1.15
    series = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]
    later = {(change.series.drill, change.seen) for change in judge(series).changes if change.kind != "jump"}
    for nights in (35, 45):
        known = judge([series_of(one[:nights], drill=f"d/{at}") for at, one in enumerate(values)])
        seen = {(change.series.drill, change.seen) for change in known.changes if change.kind != "jump"}
        assert seen == {(drill, night) for drill, night in later if night < f"night-{nights:04}"}


@settings(max_examples=cases(10))
@given(st.integers(0, 99))
@example(5)
def test_what_was_told_one_morning_stays_although_drills_lack_some_nights(seed: int) -> None:
    values = made(12, 52, seed=seed)
    values[1, 40:] *= 1.06
    measured = np.random.default_rng(seed).random((12, 52)) > 0.1
    series = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]

    def seen(nights: int) -> set[tuple[str, str]]:
        known = [
            replace(one, points=tuple(one.points[night] for night in range(nights) if measured[at, night]))
            for at, one in enumerate(series)
        ]
        return {(change.series.drill, change.seen) for change in judge(known).changes if change.kind != "jump"}

    later = seen(52)
    for nights in range(42, 52):
        assert seen(nights) == {(drill, night) for drill, night in later if night < f"night-{nights:04}"}


@settings(max_examples=cases(10))
@given(st.integers(0, 99))
def test_what_was_told_is_not_told_again_when_drills_are_added(seed: int) -> None:
    values = made(4, 46, seed=seed)
    values[1, 40:] *= 1.06
    series = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]
    added = [series_of(one, drill=f"added/{at}") for at, one in enumerate(made(20, 46, seed=seed + 100))]

    def seen(nights: int, since: int) -> set[tuple[str, str]]:
        known = [replace(one, points=one.points[:nights]) for one in series]
        known += [replace(one, points=one.points[since:nights]) for one in added if since < nights]
        return {(change.series.drill, change.seen) for change in judge(known).changes if change.kind != "jump"}

    for since in range(42, 46):
        told_before = seen(since, since)
        assert {one for one in seen(since + 1, since) if one[1] < f"night-{since:04}"} == told_before


def test_few_nights_are_said_to_be_few() -> None:
    values = made(1, 12, seed=7)[0]
    assert judge([series_of(values[:1])]).judged[0].notes == ("one night only: nothing to compare it with",)
    three = judge([series_of(values[:3])]).judged[0]
    assert three.smallest is None
    assert "3 nights" in three.notes[0]
    enough = judge([series_of(values)]).judged[0]
    assert enough.notes == ()
    assert enough.smallest is not None
    assert 0.03 <= enough.smallest < 0.5


@pytest.mark.parametrize(
    ("name", "unit", "better", "values"),
    [
        ("availability", "", "higher", [1.0, 1.0, 0.97, 0.95, 0.9, 0.95, 0.97, 1.0, 1.0, 1.0]),
        ("mean", "s", "lower", [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_young_histories_may_be_as_noisy_as_they_like(name: str, unit: str, better: Better, values: list[float]) -> None:
    quiet = [series_of(one, drill=f"d/{at}") for at, one in enumerate(made(20, len(values), seed=10))]
    noisy = judge([*quiet, series_of(np.array(values)[:, None], name=name, unit=unit, better=better)])
    assert not noisy.changes
    assert noisy.judged[-1].smallest is None or noisy.judged[-1].smallest > 1e6


def test_a_metric_that_vanished_is_named() -> None:
    values = made(2, 12, seed=8)
    whole, gone = series_of(values[0]), series_of(values[1, :8], name="recovery", unit="s")
    assert judge([whole, gone]).judged[1].notes == ("ends with night-0007: the drill ran since, and did not measure it",)
    assert judge([]).newest is None


def test_the_sixth_night_of_a_whole_suite_may_be_a_jump_since_the_drills_share_their_noise() -> None:
    values = made(80, 6, seed=9)
    values[3, 5] *= 3
    found = judge([series_of(one, drill=f"d/{at}") for at, one in enumerate(values)])
    assert told(found) == [("d/3", "jump", "night-0005")]
