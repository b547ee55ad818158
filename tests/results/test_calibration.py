"""The measurement of false alarms on a history's own nights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from results.trends.calibration import calibrate
from results.trends.judging import Options
from tests.helpers.simulated_nights import QUIET, relative, series_of


def test_the_noise_of_a_machine_raises_few_alarms_and_its_changes_none() -> None:
    values = 10 * np.exp(relative(QUIET, (5, 40, 3), np.random.default_rng(1)))
    values[2, 25:] *= 1.5
    series = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]
    measured = calibrate(series, orders=5)
    assert measured.series == 5
    assert measured.nights == 5 * 35
    assert measured.alarmed <= 3
    assert measured.interval.low <= (measured.rate or 0) <= measured.interval.high


@pytest.mark.slow
def test_a_judgement_that_cries_wolf_is_measured_to_do_so() -> None:
    values = 10 * np.exp(relative(QUIET, (5, 40, 3), np.random.default_rng(2)))
    series = [series_of(one, drill=f"d/{at}", name="rate", unit="1/s", better="higher") for at, one in enumerate(values)]
    strict, careless = (calibrate(series, orders=5, options=Options(false_alarms_per_year=each)) for each in (0.5, 20_000))
    assert careless.alarmed > strict.alarmed


def test_jumps_are_counted_whatever_night_they_are_in() -> None:
    values = 10 * np.exp(relative(QUIET, (2, 30, 3), np.random.default_rng(3)))
    values[:, 15] *= 5
    measured = calibrate([series_of(one, drill=f"d/{at}") for at, one in enumerate(values)], orders=8)
    assert 4 <= measured.alarmed <= 8


def test_the_nights_of_every_baseline_count() -> None:
    values = 10 * np.exp(relative(QUIET, (2, 60, 3), np.random.default_rng(4)))
    before, now = (series_of(one, drill=drill) for one, drill in zip(values, ("d/1", "d/2"), strict=True))
    measured = calibrate([replace(before, points=before.points[:20]), replace(now, points=now.points[20:])], orders=3)
    assert measured.nights == 3 * (15 + 35)


def test_too_few_nights_measure_nothing() -> None:
    measured = calibrate([series_of(np.ones((5, 3)))])
    assert measured.rate is None
    assert measured.interval == (0.0, 1.0)
