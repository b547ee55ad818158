"""Jumps after few nights: five nights and one are enough for an obvious jump."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from results.trends.findings import Findings
from results.trends.judging import judge
from results.trends.series import Series
from tests.helpers.effort import cases
from tests.helpers.outcomes import figures, steady
from tests.helpers.simulated_nights import QUIET, SHARED, relative, series_of, suite, until

REPLICA_KILLED = {
    "p50": [
        (3.9326, 2.9341), (2.3217, 2.2887), (3.0038, 2.0365), (2.3809, 2.6632), (2.3256, 2.1621), (2.1892, 2.0127),
        (1.8103, 2.4305), (2.761, 3.9171), (12.1628, 13.3817), (10.289, 11.2805), (11.5515, 10.1541), (9.7375, 12.0807),
    ],
    "p99": [
        (23.4187, 21.759), (29.8017, 24.1232), (16.2778, 16.9265), (20.9111, 15.9796), (18.081, 15.8554), (14.0057, 18.021),
        (17.7691, 23.8335), (20.213, 22.7066), (45.026, 41.3029), (31.6257, 26.0187), (28.2829, 48.0447), (30.6296, 40.95),
    ],
    "cpu": [
        (0.24, 0.25), (0.26, 0.26), (0.24, 0.25), (0.26, 0.24), (0.25, 0.26), (0.27, 0.23),
        (0.22, 0.2), (0.21, 0.21), (0.26, 0.24), (0.24, 0.23), (0.25, 0.27), (0.26, 0.23),
    ],
}  # fmt: skip
STEADY = {
    "p50": [
        (1.8694, 1.8281), (1.9831, 2.1929), (2.8285, 3.8031), (2.1736, 2.2084), (2.5638, 2.1968), (1.7557, 1.9176),
        (1.7567, 1.7515), (4.0874, 2.2605), (11.7223, 11.6373), (11.4361, 11.4995), (11.4958, 12.2012), (8.9875, 11.9503),
    ],
    "p99": [
        (16.642, 18.0088), (16.8655, 19.4428), (18.2365, 13.3583), (12.9656, 16.5477), (20.5248, 15.6999), (11.7542, 14.0117),
        (15.9881, 13.6229), (24.9068, 17.3181), (42.1606, 28.0581), (33.0928, 32.4132), (29.1126, 33.597), (27.2939, 38.9045),
    ],
    "cpu": [
        (0.26, 0.23), (0.28, 0.22), (0.24, 0.24), (0.32, 0.28), (0.26, 0.27), (0.25, 0.24),
        (0.24, 0.23), (0.23, 0.2), (0.25, 0.24), (0.24, 0.22), (0.28, 0.27), (0.21, 0.24),
    ],
}  # fmt: skip
"""Nights × runs of two drills of the quorum store on two cores. From the ninth night on, writes take 10 ms longer."""
SLOW = 8
UNITS = {"p50": "ms", "p99": "ms", "cpu": "s"}


def recorded(nights: list[int]) -> list[Series]:
    """Some of the real nights, one after another."""
    return [
        series_of(np.array(values)[nights], drill=drill, name=name, unit=UNITS[name])
        for drill, metrics in (("store/replica_killed", REPLICA_KILLED), ("store/steady", STEADY))
        for name, values in metrics.items()
    ]


def found(findings: Findings) -> set[tuple[str, str, str, str]]:
    return {(one.series.drill, one.series.metric.name, one.kind, one.night) for one in findings.changes}


@pytest.mark.parametrize("before", [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7], list(range(8))])
def test_ten_milliseconds_more_in_every_write_are_told_in_the_first_night(before: list[int]) -> None:
    assert not judge(recorded(before)).changes
    findings = judge(recorded([*before, SLOW]))
    assert findings.regressed
    since = f"night-{len(before):04}"
    assert {("store/replica_killed", "p50", "jump", since), ("store/steady", "p50", "jump", since)} == found(findings)


def test_they_are_told_every_morning_until_three_nights_confirm_a_shift_and_never_forgotten() -> None:
    mornings = [judge(recorded(list(range(until)))) for until in range(9, 13)]
    assert [[(one.kind, one.seen) for one in morning.new] for morning in mornings] == [
        [("jump", "night-0008")] * 2,
        [("jump", "night-0008")] * 2,
        [("shift", "night-0010")] * 2,
        [],
    ]
    for morning in mornings:
        assert {(drill, night) for drill, _, _, night in found(morning)} == {
            ("store/replica_killed", "night-0008"),
            ("store/steady", "night-0008"),
        }


def test_four_times_the_median_in_the_sixth_night_is_told_nearly_always() -> None:
    told = 0
    random = np.random.default_rng(11)
    for _ in range(40):
        findings = judge(suite(SHARED, 6, random, slower=4, since=5))
        told += findings.regressed
        assert {one.night for one in findings.new} <= {"night-0005"}
    assert told >= 36


def test_nights_without_a_change_hardly_ever_raise_an_alarm_from_the_sixth_on() -> None:
    nights = alarmed = 0
    random = np.random.default_rng(12)
    for _ in range(cases(25)):
        whole = suite(SHARED, 12, random)
        for newest in range(6, 13):
            nights += 1
            alarmed += bool(judge([until(one, newest) for one in whole]).new)
    assert nights == 7 * cases(25)
    assert alarmed <= 1


def test_one_run_that_stopped_makes_no_night() -> None:
    values = 10 * np.exp(relative(QUIET, (1, 8, 2), np.random.default_rng(13)))[0]
    values[7] = 10.0, 900.0
    assert not judge([series_of(values)]).changes
    values[7] = 900.0, 900.0
    assert judge([series_of(values)]).regressed


def test_a_machine_that_is_known_to_have_lone_bad_nights_has_to_show_two() -> None:
    """Each drill had one in a different night, so one in a quiet drill now is not remarkable."""
    values = 10 * np.exp(relative(QUIET, (12, 31, 3), np.random.default_rng(14)))
    for drill in range(1, 12):
        values[drill, 10 + drill] *= 4
    values[0, 29:] *= 3
    drills = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]
    assert not judge([until(one, 30) for one in drills]).new
    assert {one.series.drill for one in judge(drills).new} == {"d/0"}


def test_two_nights_are_certain_when_the_first_was_not() -> None:
    """A change is new in the morning that makes it certain, and its night is the one in which it began."""
    values = np.exp(np.log(10) + np.array([0, 0.3, -0.3, 0.25, -0.25, 1.6, 1.6])[:, None] + np.zeros(2))
    assert not judge([series_of(values[:6]), *others()]).changes
    findings = judge([series_of(values), *others(7)])
    assert [(one.kind, one.night, one.seen) for one in findings.new] == [("jump", "night-0005", "night-0006")]
    assert findings.regressed


def others(nights: int = 6) -> list[Series]:
    return [series_of(np.full((nights, 2), 5.0), drill="made/up", name=f"other-{at}", unit="s") for at in range(20)]


def test_a_fall_of_availability_can_be_a_jump() -> None:
    for before, after in ((0.9999, 0.98), (1.0, 0.99), (0.99, 0.8)):
        values = np.array([[before] * 3] * 6 + [[after] * 3])
        findings = judge([series_of(values, name="availability", unit="", better="higher")])
        assert [(one.kind, one.night, one.worse) for one in findings.changes] == [("jump", "night-0006", True)]
        assert not judge([series_of(values[:6], name="availability", unit="", better="higher")]).changes


@pytest.mark.parametrize(
    ("factor", "slow", "mornings"),
    [(4, [0], [0, 1]), (4, [0, 1], [2, 2]), (8, [0], [1, 1])],
    ids=["one figure waits for a second night", "two figures bear each other out", "one that nothing explains is told at once"],
)
def test_how_many_nights_it_takes(factor: float, slow: list[int], mornings: list[int]) -> None:
    values = 10 * np.exp(relative(SHARED, (4, 12, 3), np.random.default_rng(17)))
    values[slow, 10:] *= factor
    drills = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]
    assert [len(judge([until(one, nights) for one in drills]).new) for nights in (11, 12)] == mornings


def test_the_newest_night_is_the_one_that_was_recorded_last_even_if_a_clock_was_ahead() -> None:
    quiet = figures([*steady(12), 40.0])
    points = list(quiet.points)
    points[8] = replace(points[8], began_utc=points[8].began_utc + timedelta(days=1000))
    assert [(one.kind, one.night) for one in judge([quiet]).changes] == [("jump", points[-1].night)]
    assert [(one.kind, one.night) for one in judge([replace(quiet, points=tuple(points))]).changes] == [
        ("jump", points[-1].night)
    ]
