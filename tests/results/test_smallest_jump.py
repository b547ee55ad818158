"""After five nights, the report states the smallest change that the next night alone would show, correctly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from results.trends.judging import judge
from tests.helpers.effort import left_to_ci
from tests.helpers.simulated_nights import QUIET, SHARED, relative, series_of


@pytest.mark.parametrize("nights", [5, left_to_ci(12)])
def test_a_jump_of_the_smallest_size_is_told_nearly_always_and_a_much_smaller_one_is_not(nights: int) -> None:
    """The noise that the size rests on is that of a few nights, so that it holds on average and not for each history."""
    told, too_small = 0, 0
    histories = 10 * np.exp(relative(QUIET, (60, nights + 1, 3), np.random.default_rng(nights)))
    for values in histories:
        reach = judge([series_of(values[:nights])]).judged[0].smallest_at_once
        assert reach is not None
        assert reach > 0
        for factor, sum_of in ((1 + reach, 1), (1 + reach / 3, 0)):
            last = values.copy()
            last[nights] *= factor
            found = judge([series_of(last)]).regressed
            told += found and sum_of
            too_small += found and not sum_of
    assert told >= 51
    assert too_small == 0


def test_with_fewer_than_five_nights_it_is_not_known() -> None:
    assert judge([series_of(np.full((4, 3), 10.0))]).judged[0].smallest_at_once is None


def test_the_nights_of_another_machine_change_nothing() -> None:
    quiet, noisy = (
        series_of(10 * np.exp(relative(noise, (1, 24, 3), np.random.default_rng(1)))[0]) for noise in (QUIET, SHARED)
    )
    one = replace(quiet, baseline="one", points=quiet.points[::2])
    other = replace(noisy, baseline="other", points=noisy.points[1::2])
    alone, together = judge([one]).judged[0], judge([one, other]).judged[0]
    assert (together.smallest, together.smallest_at_once) == (alone.smallest, alone.smallest_at_once)


def test_it_is_a_fall_if_higher_is_better() -> None:
    values = 100 * np.exp(relative(QUIET, (1, 8, 3), np.random.default_rng(0)))[0]
    reach = judge([series_of(values[:7], name="rate", unit="1/s", better="higher")]).judged[0].smallest_at_once
    assert reach is not None
    assert 0 < reach < 1
    values[7] *= 1 - reach
    assert judge([series_of(values, name="rate", unit="1/s", better="higher")]).regressed
