"""Two systems in turn: what pairs of runs show, and what they exclude."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.report.compare_terminal import pair_line, said_of
from results.trends.comparison import metric_of
from results.trends.pairs import Comparison, Look, Subject
from results.trends.series import Metric
from tests.helpers.effort import cases

RECOVERY = Subject(drill="d", metric=Metric(name="recovery", unit="s", better="lower"))
P50 = Subject(drill="d", metric=Metric(name="p50", unit="ms", better="lower"))
RATE = Subject(drill="d", metric=Metric(name="rate", unit="1/s", better="higher"))
UP = Subject(drill="d", metric=Metric(name="availability", unit="", better="higher"))


def looked(factor: float, *, noise: float = 0.01, seed: int = 1, pairs: int = 10, subject: Subject = P50) -> tuple[Look, int]:
    """The result of pairs of one metric, and how many it took."""
    random, comparison = np.random.default_rng(seed), Comparison(pairs)
    while True:
        a, b = (100 * np.exp(random.normal(0, noise, 2))).tolist()
        look = comparison.add({subject: (a, b * factor)})
        if look.decided or comparison.pairs == pairs:
            return look, comparison.pairs


def test_a_slower_system_is_found_before_all_pairs_are_run() -> None:
    look, pairs = looked(1.1)
    assert look.regressed
    assert pairs < 10
    (one,) = look.compared
    assert one.verdict == "worse"
    assert one.interval[0] < 0.1 < one.interval[1]
    assert said_of(metric_of(one)).startswith("slower by ")


def test_a_faster_one_is_better_and_no_regression() -> None:
    look, pairs = looked(1 / 1.1)
    assert not look.regressed
    assert pairs == 10
    assert look.compared[0].verdict == "better"
    assert said_of(metric_of(look.compared[0])).startswith("faster by ")


def test_what_was_certain_stays_so_although_all_pairs_are_alike() -> None:
    comparison, verdicts = Comparison(10), []
    for _ in range(10):
        verdicts.append(comparison.add({P50: (1.0, 0.5)}).compared[0].verdict)
    assert "better" in verdicts
    assert "none" not in verdicts[verdicts.index("better") :]


@pytest.mark.parametrize("level", [0.0, 0.01, 1.0])
def test_equal_levels_do_not_differ_however_close_to_0(level: float) -> None:
    comparison = Comparison(10)
    for _ in range(6):
        look = comparison.add({P50: (level, level)})
    (one,) = look.compared
    assert (one.b, one.effect, one.interval) == (level, 0.0, (0.0, 0.0))
    assert look.decided


def test_less_throughput_is_worse() -> None:
    look, _ = looked(0.9, subject=RATE)
    assert look.regressed
    assert said_of(metric_of(look.compared[0])).startswith("lower by ")


def test_what_a_does_not_have_at_all_is_told_by_its_amount() -> None:
    comparison = Comparison(10)
    for at in range(10):
        look = comparison.add({RECOVERY: (0.0, 0.5 + at / 100)})
    assert look.regressed
    assert said_of(metric_of(look.compared[0])) == "slower, from 0 to 0.545 s"


def test_what_only_some_runs_have_is_never_less_than_nothing() -> None:
    comparison = Comparison(20)
    for at in range(20):
        look = comparison.add({RECOVERY: (3.0 if at % 5 < 2 else 0.0, 0.0)})
    (one,) = look.compared
    assert one.verdict == "better"
    assert (one.a, one.b) == (pytest.approx(1.2, rel=0.1), pytest.approx(0.0, abs=1e-9))
    assert said_of(metric_of(one)).startswith("faster by 100% [-100%, ")


def test_a_lone_run_that_has_what_no_other_has_is_told_by_its_amount() -> None:
    comparison = Comparison(10)
    for at in range(10):
        look = comparison.add({RECOVERY: (0.0, 3.0 if at == 4 else 0.0)})
    assert said_of(metric_of(look.compared[0])) == "no difference seen, from 0 to 0.3 s"


def test_a_pair_of_which_one_side_answered_nothing_is_told_by_what_was_measured() -> None:
    assert pair_line(1, {RATE: (40.0, 39.0), P50: (2.0, 2.5)}, "") == "pair 1: d p50 2 and 2.5 ms"
    assert pair_line(2, {RATE: (40.0, 0.0), UP: (1.0, 0.0)}, "") == "pair 2: d rate 40 and 0 1/s, d availability 1 and 0"
    assert pair_line(3, {}, "") == "pair 3: nothing measured"


def test_a_difference_that_is_certain_and_small_does_not_count() -> None:
    look, _ = looked(1.01, noise=0.001)
    assert not look.regressed


def test_alike_systems_exclude_what_the_noise_allows_and_stop_early_if_that_is_enough() -> None:
    look, pairs = looked(1.0, noise=0.002)
    assert pairs == 6
    assert look.compared[0].excluded < 0.03
    assert "is excluded" in said_of(metric_of(look.compared[0]))
    noisy, pairs = looked(1.0, noise=0.1)
    assert pairs == 10
    assert noisy.compared[0].excluded > look.compared[0].excluded


def test_metrics_are_corrected_for_their_number() -> None:
    random, comparison, alone = np.random.default_rng(4), Comparison(10), Comparison(10)
    many = [Subject(drill=f"d{at}", metric=P50.metric) for at in range(40)]
    for _ in range(10):
        pair = {one: tuple((100 * np.exp(random.normal(0, 0.05, 2))).tolist()) for one in many}
        look, single = comparison.add(pair), alone.add({many[0]: pair[many[0]]})
    first = next(one for one in look.compared if one.subject == many[0])
    assert first.p_adjusted >= single.compared[0].p_adjusted
    assert not look.regressed


def test_a_metric_that_one_pair_lacks_is_compared_by_the_others() -> None:
    comparison = Comparison(10)
    for at in range(8):
        pair = {P50: (100.0, 120.0 + at / 10)}
        look = comparison.add(pair if at == 3 else {**pair, UP: (1.0, 1.0)})
    by_name = {one.subject.metric.name: one for one in look.compared}
    assert by_name["availability"].pairs == 7
    assert by_name["availability"].verdict == "none"
    assert said_of(metric_of(by_name["availability"])) == "no difference at all"


def test_chance_alone_is_never_impossible() -> None:
    comparison = Comparison(20)
    for _ in range(20):
        look = comparison.add({P50: (1.0, 2.0)})
    assert 0 < look.compared[0].p_adjusted < 0.001


@settings(max_examples=cases(15), deadline=None)
@given(st.integers(0, 10_000))
def test_exchanging_a_and_b_turns_the_verdict_round(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = 100 * np.exp(random.normal(0, 0.03, (10, 2)))
    one, other = Comparison(10), Comparison(10)
    for a, b in values.tolist():
        look, back = one.add({P50: (a, b * 1.05)}), other.add({P50: (b * 1.05, a)})
    turned = {"worse": "better", "better": "worse", "small": "small", "none": "none"}
    assert back.compared[0].verdict == turned[look.compared[0].verdict]
    assert back.compared[0].p_adjusted == pytest.approx(look.compared[0].p_adjusted)


def test_a_system_compared_with_itself_is_seldom_worse() -> None:
    wrong = sum(looked(1.0, noise=0.05, seed=seed)[0].regressed for seed in range(100, 250))
    assert wrong <= 4  # of 150, where 0.75 are expected
